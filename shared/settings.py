"""What every service reads from its environment, once, in its `__main__`. Prefix `COLDSTART_`."""

from typing import Annotated, Literal
from uuid import UUID

from pydantic import AfterValidator, AliasChoices, BeforeValidator, Field, PositiveFloat, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict

from shared.images import is_repository


def _names_a_repository(text: str) -> str:
    if not is_repository(text):
        raise ValueError(f"{text!r} is no image's repository; write it without a tag, such as vllm/vllm-openai")
    return text


class ServiceSettings(BaseSettings):
    """`lease_seconds`: how long a dead replica's work waits before another one takes it up.

    `installation`: whose stream is made where there is none yet; by default a new installation's.
    """

    model_config = SettingsConfigDict(env_prefix="COLDSTART_", env_ignore_empty=True, frozen=True, extra="ignore")

    nats_url: SecretStr = SecretStr("nats://127.0.0.1:4222")
    installation: UUID | None = None
    stream_replicas: Annotated[Literal[1, 3], BeforeValidator(int)] = 1  # the environment knows only strings
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
    database_url: SecretStr
