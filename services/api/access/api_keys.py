"""API keys: who may do what. A key is shown once, when it is made; then only its hash is stored."""

import hashlib
import secrets
from collections.abc import Iterable, Mapping
from enum import StrEnum
from typing import Annotated, Any, Final, Protocol, Self, TypeAlias
from uuid import UUID, uuid5

from pydantic import AwareDatetime, BaseModel, BeforeValidator, ConfigDict, Field, SecretStr

from shared.clock import CLOCK

_NAMESPACE: Final = UUID("0b7a3f0e-6f0e-5b1c-8f5e-3a1d5c9e2b41")
_MARK: Final = "csk_"
_SHOWN: Final = 10


class Role(StrEnum):
    """An administrator may do everything; a user may use `/v1` and what its organisation owns."""

    ADMIN = "admin"
    USER = "user"


PerMinute: TypeAlias = Annotated[int, Field(gt=0, le=2**31 - 1)]
ModelName: TypeAlias = Annotated[str, Field(min_length=1, max_length=200, pattern=r"^[^\x00-\x1f\x7f]+$")]


def _tuple(value: Any) -> Any:
    """JSON and the database have only lists."""
    return tuple(value) if isinstance(value, list) else value


class KeyLimits(BaseModel):
    """None means no limit. `allowed_models` are names as in requests under `/v1`."""

    model_config = ConfigDict(frozen=True)

    requests_per_minute: PerMinute | None = None
    tokens_per_minute: PerMinute | None = None
    max_concurrent: PerMinute | None = None
    allowed_models: Annotated[
        Annotated[tuple[ModelName, ...], Field(min_length=1, max_length=200)] | None,
        BeforeValidator(_tuple),
    ] = None


class ApiKey(KeyLimits):
    """`prefix` is the beginning of the key, so that its owner can recognise it."""

    id: UUID
    name: str
    role: Role
    organization_id: UUID | None = None
    prefix: str
    created_at: AwareDatetime


class NewApiKey(ApiKey):
    """The only answer that ever contains the key itself."""

    key: str = Field(repr=False)


class ApiKeys:
    """All valid keys, by hash: one immutable value that is replaced as a whole."""

    def __init__(self, by_hash: Mapping[bytes, ApiKey]) -> None:
        self._by_hash = by_hash
        self._by_id = {key.id: key for key in by_hash.values()}

    @classmethod
    def of(cls, keys: Iterable[tuple[bytes, ApiKey]]) -> Self:
        return cls(dict(keys))

    def holds(self, key_id: UUID) -> bool:
        return key_id in self._by_id

    def identified(self, key_id: UUID) -> ApiKey | None:
        return self._by_id.get(key_id)

    def owner(self, key: str) -> ApiKey | None:
        return self._by_hash.get(hashed(key))


class KnownApiKeys(Protocol):
    """The source of the current keys, which replaces them when they change."""

    @property
    def keys(self) -> ApiKeys: ...


def new_key() -> str:
    """256 random bits after a prefix that secret scanners can find."""
    return _MARK + secrets.token_urlsafe(32)


def hashed(key: str) -> bytes:
    """SHA-256: 256 random bits cannot be guessed, so a slow password hash would only cost time at every request."""
    return hashlib.sha256(key.encode()).digest()


def shown(key: str) -> str:
    return key[:_SHOWN]


def configured_key_id(key: str) -> UUID:
    """The id of the key from the settings: the same in every process, different for a different key."""
    return uuid5(_NAMESPACE, hashed(key).hex())


def configured_keys(admin_key: SecretStr | None) -> list[tuple[bytes, ApiKey]]:
    """The administrator's key from the settings with its hash, if set."""
    if admin_key is None:
        return []
    key = admin_key.get_secret_value()
    owner = ApiKey(
        id=configured_key_id(key),
        name="COLDSTART_ADMIN_KEY",
        role=Role.ADMIN,
        prefix=shown(key),
        created_at=CLOCK.now(),
    )
    return [(hashed(key), owner)]
