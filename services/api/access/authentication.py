"""Finds the caller from a request's key or session."""

import re
from collections.abc import Callable, Mapping
from typing import Any, Final

from services.api.access.api_keys import ApiKey, KnownApiKeys
from services.api.access.errors import KeyNeeded, Unproven
from services.api.access.sessions import Purpose, Sessions, Token
from services.api.access.wrong_keys import WrongKeys
from services.api.http.session_cookie import COOKIE
from shared.actor import Actor

_BEARER: Final = re.compile(r"bearer +(\S+) *", re.IGNORECASE)
_CHANGES_NOTHING: Final = frozenset({"GET", "HEAD", "OPTIONS"})
_NO_KEY: Final = "Send one as 'Authorization: Bearer KEY'; an administrator makes keys with POST /api-keys."
_UNPROVEN: Final = "A session's request that changes something needs the X-CSRF-Token of its page; load the page again."


class Authentication:
    """A key in the Authorization header, otherwise a session in the cookie, which browsers send unasked."""

    def __init__(self, access: KnownApiKeys, sessions: Sessions, wrong_keys: WrongKeys | None = None) -> None:
        self._access = access
        self._sessions = sessions
        self.wrong_keys = wrong_keys or WrongKeys()

    async def admitted(self, scope: Mapping[str, Any], header: Callable[[str], str | None]) -> ApiKey:
        """Like `owner`, but a wrong key is refused with a delay. Raises KeyNeeded, Unproven, TooManyWrongKeys."""
        try:
            return self.owner(str(scope.get("method")), header)
        except KeyNeeded:
            if header("authorization") is not None:
                await self.wrong_keys.came(scope)
            raise

    def owner(self, method: str, header: Callable[[str], str | None]) -> ApiKey:
        """The request's key. Raises KeyNeeded, Unproven."""
        authorization = header("authorization")
        owner = self._bearer(authorization) if authorization else self._session_s(method, header)
        if owner is None:
            raise KeyNeeded(_NO_KEY)
        return owner

    def _bearer(self, authorization: str) -> ApiKey | None:
        match = _BEARER.fullmatch(authorization)
        return self._access.keys.owner(match[1]) if match else None

    def _session_s(self, method: str, header: Callable[[str], str | None]) -> ApiKey | None:
        """Raises Unproven."""
        session = self.session(header("cookie"))
        if session is None:
            return None
        owner = self._access.keys.identified(session.key_id)
        proven = method in _CHANGES_NOTHING or self._sessions.proves(session, header("x-csrf-token") or "")
        if owner and not proven:
            raise Unproven(_UNPROVEN)
        return owner

    def actor(self, owner: ApiKey, header: Callable[[str], str | None]) -> Actor:
        """Who asks with a request that this key's owner was found for."""
        return Actor(kind="key" if header("authorization") else "session", id=owner.id, name=owner.name)

    def expires_at(self, header: Callable[[str], str | None]) -> int | None:
        """When the request's session expires, in seconds since 1970; None for a key."""
        session = None if header("authorization") else self.session(header("cookie"))
        return None if session is None else session.expires_at

    def session(self, cookies: str | None) -> Token | None:
        """The session in a Cookie header, whether or not its key still exists.

        Not by http.cookies: that reads nothing if one cookie is odd, and other programs on this host may have set one.
        """
        for cookie in (cookies or "").split(";"):
            name, _, value = cookie.strip().partition("=")
            if name == COOKIE:
                return self._sessions.read(Purpose.SESSION, value)
        return None
