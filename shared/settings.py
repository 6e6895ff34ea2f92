"""What every service reads from its environment, once, in its `__main__`. Prefix `COLDSTART_`."""

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict


class ServiceSettings(BaseSettings):
    """`lease_seconds`: how long a dead replica's work waits before another one takes it up."""

    model_config = SettingsConfigDict(env_prefix="COLDSTART_", env_ignore_empty=True, frozen=True, extra="ignore")

    nats_url: SecretStr = SecretStr("nats://127.0.0.1:4222")
    stream_replicas: Annotated[Literal[1, 3], BeforeValidator(int)] = 1  # the environment knows only strings
    lease_seconds: float = Field(default=30.0, gt=0)
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    log_format: Literal["json", "console"] = "json"


class WithSecrets(ServiceSettings):
    """The same master secret in every service: SSH keys, host keys and worker keys are all derived from it."""

    master_secret: SecretStr = Field(min_length=32)


class WithDatabase(ServiceSettings):
    database_url: SecretStr
