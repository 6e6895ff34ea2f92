"""Sessions of the console: signed tokens that name a key, so that any api process knows those that another began.

A session is worth what its key is: that is asked at each request, so a revoked key's sessions end at once.
"""

import base64
import binascii
import hmac
import secrets
import struct
import time
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Final
from uuid import UUID

_BODY: Final = struct.Struct("!16s16sQ")


class Purpose(StrEnum):
    """A token for one is none for the other."""

    SESSION = "session"
    LINK = "link"


@dataclass(frozen=True)
class Token:
    """`id` tells it from every other; `expires_at` is in seconds since 1970."""

    text: str
    id: UUID
    key_id: UUID
    expires_at: int


class Sessions:
    """`key` signs; `clock` tells seconds since 1970."""

    def __init__(self, key: bytes, clock: Callable[[], float] = time.time) -> None:
        self._key = key
        self._clock = clock

    def issue(self, purpose: Purpose, key_id: UUID, lifetime_s: float) -> Token:
        token_id, expires_at = UUID(bytes=secrets.token_bytes(16)), int(self._clock() + lifetime_s)
        body = _BODY.pack(token_id.bytes, key_id.bytes, expires_at)
        return Token(_text(body + self._signature(purpose, body)), token_id, key_id, expires_at)

    def read(self, purpose: Purpose, text: str) -> Token | None:
        """None for what was not issued for this, or has expired."""
        try:
            signed = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
        except (binascii.Error, ValueError):
            return None
        body, signature = signed[: _BODY.size], signed[_BODY.size :]
        if len(body) < _BODY.size or not hmac.compare_digest(signature, self._signature(purpose, body)):
            return None
        token_id, key_id, expires_at = _BODY.unpack(body)
        if expires_at <= self._clock():
            return None
        return Token(text, UUID(bytes=token_id), UUID(bytes=key_id), expires_at)

    def csrf_token(self, session: Token) -> str:
        """What only a page of this session can send along: the cookie itself is out of any script's reach."""
        return _text(self._signature("csrf", session.id.bytes))

    def proves(self, session: Token, csrf_token: str) -> bool:
        return hmac.compare_digest(csrf_token.encode(), self.csrf_token(session).encode())

    def _signature(self, purpose: str, body: bytes) -> bytes:
        return hmac.digest(self._key, purpose.encode() + b"\0" + body, "sha256")


def _text(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")
