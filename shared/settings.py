"""What every service reads from its environment, once, in its `__main__`. Prefix `COLDSTART_`."""

from typing import Annotated, Any, Final, Literal
from urllib.parse import urlsplit
from uuid import UUID

from pydantic import AfterValidator, AliasChoices, BeforeValidator, Field, PositiveFloat, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict

from shared.images import is_repository

_NATS: Final = frozenset({"nats", "tls", "ws", "wss"})
_POSTGRES: Final = frozenset({"postgresql", "postgres"})
_HTTP: Final = frozenset({"http", "https"})


def _names_a_repository(text: str) -> str:
    if not is_repository(text):
        raise ValueError(f"{text!r} is no image's repository; write it without a tag, such as vllm/vllm-openai")
    return text


def _number(value: Any) -> Any:
    """The environment knows only strings."""
    return int(value) if isinstance(value, str) and value.isdecimal() else value


def _checked(url: str, schemes: frozenset[str], *, host: bool) -> str:
    """Raises ValueError for what cannot be a URL of these schemes."""
    parts = urlsplit(url)
    if parts.scheme not in schemes or (host and not parts.hostname) or parts.port == 0:  # a wrong port raises
        raise ValueError("not such a URL")
    return url


def _nats(url: SecretStr) -> SecretStr:
    """Its scheme may be left out."""
    text = url.get_secret_value()
    _checked(text if "://" in text else f"nats://{text}", _NATS, host=True)
    return url


def _postgres(url: SecretStr) -> SecretStr:
    """Without a host it is a socket's."""
    _checked(url.get_secret_value(), _POSTGRES, host=False)
    return url


def _http(url: str) -> str:
    return _checked(url, _HTTP, host=True)


NatsUrl = Annotated[
    SecretStr, AfterValidator(_nats), Field(examples=["a URL such as nats://user:password@127.0.0.1:4222"])
]
DatabaseUrl = Annotated[
    SecretStr, AfterValidator(_postgres), Field(examples=["a URL such as postgresql://user:password@127.0.0.1/name"])
]
HttpUrl = Annotated[str, AfterValidator(_http), Field(examples=["a URL such as http://127.0.0.1:8080"])]


class ServiceSettings(BaseSettings):
    """`lease_seconds`: how long a dead replica's work waits before another one takes it up.

    `installation`: whose stream is made where there is none yet; by default a new installation's.
    """

    model_config = SettingsConfigDict(env_prefix="COLDSTART_", env_ignore_empty=True, frozen=True, extra="ignore")

    nats_url: NatsUrl = SecretStr("nats://127.0.0.1:4222")
    installation: UUID | None = None
    stream_replicas: Annotated[Literal[1, 3], BeforeValidator(_number)] = 1
    lease_seconds: float = Field(default=30.0, gt=0)
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    log_format: Literal["json", "console"] = "json"


class WithMachines(ServiceSettings):
    """Where machines are reached, and the secret that all their keys are derived from: the same in every service."""

    master_secret: SecretStr = Field(min_length=32)
    ssh_port: int = Field(default=22, ge=1, le=65_535)
    worker_port: int = Field(default=8000, ge=1, le=65_535)


class WithStartup(WithMachines):
    """`startup_seconds`: from the address (or the reinstall) to ready, the install in it; the same in every service."""

    startup_seconds: PositiveFloat = 5400.0


class WithHub(ServiceSettings):
    """The Hugging Face token: what gated models need, to be looked up and to be loaded. Theirs by name, or ours."""

    model_config = SettingsConfigDict(populate_by_name=True)

    hf_token: SecretStr | None = Field(default=None, validation_alias=AliasChoices("COLDSTART_HF_TOKEN", "HF_TOKEN"))

    allowed_images: tuple[Annotated[str, AfterValidator(_names_a_repository)], ...] = ("vllm/vllm-openai",)
    """Repositories whose images get the token, and that an organisation's key may name; the same in every service."""


class WithDatabase(ServiceSettings):
    database_url: DatabaseUrl
