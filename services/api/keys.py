"""API keys: who may do what. A key is shown once, when it is made; afterwards only its hash is known."""

import hashlib
import secrets
from collections.abc import Iterable, Mapping
from enum import StrEnum
from typing import Final, Self
from uuid import UUID, uuid5

from pydantic import AwareDatetime, BaseModel, ConfigDict

_NAMESPACE: Final = UUID("0b7a3f0e-6f0e-5b1c-8f5e-3a1d5c9e2b41")
_MARK: Final = "csk_"
_SHOWN: Final = 10


class Role(StrEnum):
    """An administrator does everything; a user lists models and uses `/v1`."""

    ADMIN = "admin"
    USER = "user"


class ApiKey(BaseModel):
    """`prefix` is the beginning of the key, so that its owner can tell it from others."""

    model_config = ConfigDict(frozen=True)

    id: UUID
    name: str
    role: Role
    prefix: str
    created_at: AwareDatetime


class Keys:
    """Those that are valid now, by the hash of the key: one immutable value that is swapped whole."""

    def __init__(self, by_hash: Mapping[bytes, ApiKey]) -> None:
        self._by_hash = by_hash
        self._ids = frozenset(key.id for key in by_hash.values())

    @classmethod
    def of(cls, keys: Iterable[tuple[bytes, ApiKey]]) -> Self:
        return cls(dict(keys))

    def holds(self, key_id: UUID) -> bool:
        return key_id in self._ids

    def owner(self, key: str) -> ApiKey | None:
        return self._by_hash.get(hashed(key))


def new_key() -> str:
    """256 random bits behind a mark that secret scanners can look for."""
    return _MARK + secrets.token_urlsafe(32)


def hashed(key: str) -> bytes:
    """SHA-256: what is 256 random bits cannot be guessed, so a slow password hash would only cost every request."""
    return hashlib.sha256(key.encode()).digest()


def shown(key: str) -> str:
    return key[:_SHOWN]


def configured_key_id(key: str) -> UUID:
    """The identity of the key from the settings: the same in every process, another for another key."""
    return uuid5(_NAMESPACE, hashed(key).hex())
