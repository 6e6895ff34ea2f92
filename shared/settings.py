"""The settings of every service, read once from the environment in its `__main__`. Prefix `COLDSTART_`."""

from typing import Annotated, Any, Final, Literal
from urllib.parse import urlsplit
from uuid import UUID

from pydantic import AfterValidator, AliasChoices, BeforeValidator, Field, PositiveFloat, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict

from shared.images import is_repository
from shared.lifecycle.transport import WorkerTls
from shared.urls import HTTP, HTTP_EXAMPLE, checked_url

HUB: Final = "https://huggingface.co"
_NATS: Final = frozenset({"nats", "tls", "ws", "wss"})
_POSTGRES: Final = frozenset({"postgresql", "postgres"})


def _names_a_repository(text: str) -> str:
    if not is_repository(text):
        raise ValueError(f"{text!r} is no image's repository; write it without a tag, such as vllm/vllm-openai")
    return text


def words(value: Any) -> Any:
    """Accepts `one,two`, so that nobody has to write JSON."""
    return [word.strip() for word in value.split(",") if word.strip()] if isinstance(value, str) else value


def _number(value: Any) -> Any:
    """The environment has only strings."""
    return int(value) if isinstance(value, str) and value.isdecimal() else value


def _nats(urls: SecretStr) -> SecretStr:
    """One or several, with commas in between. The scheme may be omitted."""
    users = set()
    for each in urls.get_secret_value().split(","):
        text = each.strip()
        url = text if "://" in text else f"nats://{text}"
        checked_url(url, _NATS)
        users.add(urlsplit(url).username)
    if len(users) > 1:
        raise ValueError("every server of a cluster needs the same user")
    return urls


def _postgres(url: SecretStr) -> SecretStr:
    """Without a host it is a socket."""
    checked_url(url.get_secret_value(), _POSTGRES, host=False)
    return url


def _http(url: str) -> str:
    return checked_url(url, HTTP)


NatsUrl = Annotated[
    SecretStr,
    AfterValidator(_nats),
    Field(examples=["a URL such as nats://user:password@127.0.0.1:4222, or several with commas"]),
]
DatabaseUrl = Annotated[
    SecretStr, AfterValidator(_postgres), Field(examples=["a URL such as postgresql://user:password@127.0.0.1/name"])
]
Replicas = Annotated[Literal[1, 3], BeforeValidator(_number)]
HttpUrl = Annotated[str, AfterValidator(_http), Field(examples=[HTTP_EXAMPLE])]


class ServiceSettings(BaseSettings):
    """`lease_seconds`: how long a dead replica's work waits before another replica takes it; the same in every service.

    `former_lease_seconds`: the lease of the stream that a start may change; otherwise a start with another is refused.
    `installation`: the installation of a stream that is yet to be created; by default a new one.
    """

    model_config = SettingsConfigDict(env_prefix="COLDSTART_", env_ignore_empty=True, frozen=True, extra="ignore")

    nats_url: NatsUrl = SecretStr("nats://127.0.0.1:4222")
    installation: UUID | None = None
    stream_replicas: Replicas = 1
    lease_seconds: float = Field(default=30.0, gt=0)
    former_lease_seconds: PositiveFloat | None = None
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    log_format: Literal["json", "console"] = "json"


class WithMachines(ServiceSettings):
    """How machines are reached, and the secret from which their keys are derived: the same in every service.

    `worker_tls`: how workers of new attempts are talked to; an attempt that has begun keeps what it began with.
    """

    master_secret: SecretStr = Field(min_length=32)
    ssh_port: int = Field(default=22, ge=1, le=65_535)
    worker_port: int = Field(default=8000, ge=1, le=65_535)
    worker_tls: WorkerTls = "mutual"


class WithStartup(WithMachines):
    """`startup_seconds`: from the address (or the reinstall) to ready, install included; the same in every service."""

    startup_seconds: PositiveFloat = 5400.0


class WithHub(ServiceSettings):
    """The Hugging Face token, needed to look up and load gated models. Under Hugging Face's variable, or ours.

    `hf_endpoint` is Hugging Face, or a mirror of it, for us and for the workers.
    """

    model_config = SettingsConfigDict(populate_by_name=True)

    hf_token: SecretStr | None = Field(default=None, validation_alias=AliasChoices("COLDSTART_HF_TOKEN", "HF_TOKEN"))

    hf_endpoint: HttpUrl = Field(default=HUB, validation_alias="HF_ENDPOINT")

    allowed_images: tuple[Annotated[str, AfterValidator(_names_a_repository)], ...] = ("vllm/vllm-openai",)
    """Repositories whose images get the token and which organisations' keys may name; the same in every service."""


class WithDatabase(ServiceSettings):
    database_url: DatabaseUrl
