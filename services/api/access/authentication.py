"""Who asks, and whether they may. `/v1` asks the same keys but answers in OpenAI's own error shape."""

import re
from collections.abc import Callable, Mapping
from typing import Any, Final

from litestar.connection import ASGIConnection
from litestar.handlers.base import BaseRouteHandler

from services.api.access.keys import ApiKey, KnownKeys, Role
from services.api.access.session_cookie import COOKIE
from services.api.access.sessions import Purpose, Sessions, Token
from services.api.access.wrong_keys import TooManyWrongKeys, WrongKeys
from services.api.http.front.recognition import recognise
from services.api.http.problem import Problem

_BEARER: Final = re.compile(r"bearer +(\S+) *", re.IGNORECASE)
_CHANGES_NOTHING: Final = frozenset({"GET", "HEAD", "OPTIONS"})

OPEN: Final = {"access": "open"}
ANY_KEY: Final = {"access": "any key"}
MEMBERS: Final = {"access": "members"}
"""Options of a route handler, `MEMBERS` for keys of an organisation; without one it is for administrators alone."""

UNPROVEN: Final = "A session's request that changes something needs the X-CSRF-Token of its page; load the page again."


class Unproven(Exception):
    """A session's cookie came, with a request that its own page may not have sent."""


class Authentication:
    """A key in the Authorization header, or else a session in the cookie: browsers send that by themselves."""

    def __init__(self, access: KnownKeys, sessions: Sessions, wrong_keys: WrongKeys | None = None) -> None:
        self._access = access
        self._sessions = sessions
        self.wrong_keys = wrong_keys or WrongKeys()

    def owner(self, method: str, header: Callable[[str], str | None]) -> ApiKey | None:
        """The key that a request is made with. Raises Unproven."""
        authorization = header("authorization")
        if authorization:
            match = _BEARER.fullmatch(authorization)
            return self._access.keys.owner(match[1]) if match else None
        session = self.session(header("cookie"))
        if session is None:
            return None
        owner = self._access.keys.identified(session.key_id)
        proven = method in _CHANGES_NOTHING or self._sessions.proves(session, header("x-csrf-token") or "")
        if owner and not proven:
            raise Unproven
        return owner

    def expires_at(self, header: Callable[[str], str | None]) -> int | None:
        """When what a request is made with ends by itself, in seconds since 1970. A key does not."""
        session = None if header("authorization") else self.session(header("cookie"))
        return None if session is None else session.expires_at

    def session(self, cookies: str | None) -> Token | None:
        """The one in a Cookie header, whether its key still exists or not.

        Not by http.cookies: it reads none where one is odd, and other programs on this host may have set that.
        """
        for cookie in (cookies or "").split(";"):
            name, _, value = cookie.strip().partition("=")
            if name == COOKIE:
                return self._sessions.read(Purpose.SESSION, value)
        return None


class Authorize:
    """A guard for all routes: sets `request.auth` to the key's owner. Raises Problem 401 or 403."""

    def __init__(self, authentication: Authentication) -> None:
        self._authentication = authentication

    async def __call__(self, connection: ASGIConnection[Any, Any, Any, Any], handler: BaseRouteHandler) -> None:
        access = handler.opt.get("access")
        if access == "open":
            return
        try:
            owner = self._authentication.owner(str(connection.scope.get("method")), connection.headers.get)
        except Unproven:
            raise Problem(403, "csrf_token_invalid", "The request may come from another page", UNPROVEN) from None
        if owner is None:
            if "authorization" in connection.headers:
                await wrong_key_came(self._authentication.wrong_keys, connection.scope)
            raise Problem(
                401,
                "unauthorized",
                "A valid API key is needed",
                "Send one as 'Authorization: Bearer KEY'; an administrator makes keys with POST /api-keys.",
                headers={"WWW-Authenticate": "Bearer"},
            )
        if owner.role is not Role.ADMIN and not _allowed(owner, access):
            detail = "This key lists models and uses /v1; everything else needs an administrator's key."
            if owner.organization_id:
                detail = "This key uses /v1 and what its organisation has; this needs an administrator's key."
            raise Problem(403, "forbidden", "This key may not do that", detail)
        recognise(connection.scope)
        connection.scope["auth"] = owner


async def wrong_key_came(wrong_keys: WrongKeys, scope: Mapping[str, Any]) -> None:
    """To be awaited before a wrong key is answered. Raises Problem 429."""
    try:
        await wrong_keys.came(scope)
    except TooManyWrongKeys as error:
        title, detail = "There were too many wrong keys", f"{error} Wait, and look at the key."
        headers = {"Retry-After": str(error.retry_after_s)}
        raise Problem(429, "too_many_wrong_keys", title, detail, headers=headers) from None


def _allowed(user: ApiKey, access: str | None) -> bool:
    return access == "any key" or (access == "members" and user.organization_id is not None)
