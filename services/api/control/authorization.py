"""Which keys may use a route. `/v1` accepts the same keys, but has OpenAI's error shape."""

from typing import Any, Final

from litestar.connection import ASGIConnection
from litestar.handlers.base import BaseRouteHandler

from services.api.access.api_keys import ApiKey, Role
from services.api.access.authentication import Authentication
from services.api.access.errors import Forbidden
from services.api.http.front.recognition import recognise

OPEN: Final = {"access": "open"}
ANY_KEY: Final = {"access": "any key"}
MEMBERS: Final = {"access": "members"}
"""A route handler's option: `MEMBERS` allows keys of an organisation; without one, only administrators."""


class Authorize:
    """A guard for all routes: sets `request.auth` to the key's owner, `request.user` to who asks. Raises Refused."""

    def __init__(self, authentication: Authentication) -> None:
        self._authentication = authentication

    async def __call__(self, connection: ASGIConnection[Any, Any, Any, Any], handler: BaseRouteHandler) -> None:
        access = handler.opt.get("access")
        if access == "open":
            return
        owner = await self._authentication.admitted(connection.scope, connection.headers.get)
        if owner.role is not Role.ADMIN and not _allowed(owner, access):
            detail = "This key may list models and use /v1; everything else needs an administrator's key."
            if owner.organization_id:
                detail = "This key may use /v1 and what its organisation owns; this needs an administrator's key."
            raise Forbidden(detail)
        recognise(connection.scope)
        connection.scope["auth"] = owner
        connection.scope["user"] = self._authentication.actor(owner, connection.headers.get)


def _allowed(user: ApiKey, access: str | None) -> bool:
    return access == "any key" or (access == "members" and user.organization_id is not None)
