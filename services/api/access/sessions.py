"""Sessions of the console: signed tokens that name a key, so any api process accepts the sessions of another.

A session may do what its key may do. That is checked at each request, so a revoked key's sessions end at once.
"""

import hashlib
import hmac
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final
from uuid import UUID, uuid4

from itsdangerous import BadData, Signer, URLSafeSerializer

from shared.clock import seconds

_SIGNED: Final[dict[str, Any]] = {"key_derivation": "hmac", "digest_method": hashlib.sha256}
"""itsdangerous uses SHA-1 by default."""


class Purpose(StrEnum):
    """A token for one purpose is invalid for the other."""

    SESSION = "session"
    LINK = "link"


@dataclass(frozen=True)
class Token:
    """`id` is unique; `expires_at` is in seconds since 1970."""

    text: str
    id: UUID
    key_id: UUID
    expires_at: int


class Sessions:
    """`key` signs; `clock` returns seconds since 1970."""

    def __init__(self, key: bytes, clock: Callable[[], float] = seconds) -> None:
        self._tokens = {each: URLSafeSerializer(key, salt=each, signer_kwargs=_SIGNED) for each in Purpose}
        self._csrf = Signer(key, salt="csrf", **_SIGNED)
        self._clock = clock

    def issue(self, purpose: Purpose, key_id: UUID, lifetime_s: float) -> Token:
        token_id, expires_at = uuid4(), int(self._clock() + lifetime_s)
        text = self._tokens[purpose].dumps((token_id.hex, key_id.hex, expires_at))
        return Token(str(text), token_id, key_id, expires_at)

    def read(self, purpose: Purpose, text: str) -> Token | None:
        """The token; None if it was not issued for this purpose, or has expired."""
        try:
            token_id, key_id, expires_at = self._tokens[purpose].loads(text)
        except BadData:
            return None
        if expires_at <= self._clock():
            return None
        return Token(text, UUID(token_id), UUID(key_id), expires_at)

    def csrf_token(self, session: Token) -> str:
        """A token that only this session's pages can send; no script can read the cookie itself."""
        return self._csrf.get_signature(session.id.bytes).decode()

    def proves(self, session: Token, csrf_token: str) -> bool:
        return hmac.compare_digest(csrf_token.encode(), self.csrf_token(session).encode())
