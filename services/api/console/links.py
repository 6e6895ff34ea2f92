"""`/sign-in-links`: links that sign in to the console once, in place of typing a key."""

from datetime import UTC, datetime
from typing import Any, Final
from uuid import UUID

from litestar import Request, post
from pydantic import AwareDatetime, BaseModel, ConfigDict

from services.api.access.api_keys import ApiKey
from services.api.access.sessions import Purpose, Sessions
from services.api.audit.entries import EntryType, NewEntry, Subject
from services.api.audit.repository import AuditRepository
from services.api.control.dependencies import Provided
from shared.actor import Actor
from shared.postgres.connection import Pool
from shared.postgres.statements import statement


class SignInLink(BaseModel):
    """Append `path` to the api's address; the first to open it is signed in."""

    model_config = ConfigDict(frozen=True)
    path: str
    expires_at: AwareDatetime


class SignInLinks:
    def __init__(self, pool: Pool, sessions: Sessions, *, lifetime_s: float) -> None:
        self._pool = pool
        self._sessions = sessions
        self._lifetime_s = lifetime_s

    def make(self, key_id: UUID) -> SignInLink:
        """A link that signs in as this key."""
        token = self._sessions.issue(Purpose.LINK, key_id, self._lifetime_s)
        return SignInLink(path=f"/sign-in?token={token.text}", expires_at=datetime.fromtimestamp(token.expires_at, UTC))

    async def use(self, text: str) -> UUID | None:
        """The key that it signs in as; None if it was used, has expired, or is invalid."""
        token = self._sessions.read(Purpose.LINK, text)
        if token is None:
            return None
        use = statement("services.api.console", "use_sign_in_link")
        if await self._pool.fetchval(use, token.id, token.expires_at) is None:
            return None
        return token.key_id


@post(
    "/sign-in-links",
    status_code=201,
    summary="Make a link that signs in to the console once",
    description="Whoever opens it is signed in with the key that asked for it.",
)
async def make_sign_in_link(
    request: Request[Actor, ApiKey, Any], sign_in_links: Provided[SignInLinks], audit: Provided[AuditRepository]
) -> SignInLink:
    subject = Subject.of("api_key", request.auth.id, request.auth.name)
    await audit.add(NewEntry(EntryType.SIGN_IN_LINK_CREATED, request.user, subject, request.auth.organization_id))
    return sign_in_links.make(request.auth.id)


ROUTES: Final = (make_sign_in_link,)
