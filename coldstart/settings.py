"""What the command line reads from the environment: where its data lies, and what it must not start itself."""

from pathlib import Path
from typing import Annotated

from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict

from shared.admin_key import AdminKey
from shared.environment import SettingsInvalid, from_environment
from shared.settings import DatabaseUrl, HttpUrl, NatsUrl

__all__ = ["ClientSettings", "SettingsInvalid", "StackSettings", "from_environment"]


class StackSettings(BaseSettings):
    """Of the one-machine stack. With `nats_url` and `database_url` set, no server is started."""

    model_config = SettingsConfigDict(env_prefix="COLDSTART_", env_ignore_empty=True, frozen=True, extra="ignore")

    data_dir: Path = Path(".coldstart")
    nats_url: NatsUrl | None = None
    database_url: DatabaseUrl | None = None
    master_secret: SecretStr | None = None
    admin_key: AdminKey | None = None
    api_host: str = "127.0.0.1"
    api_port: Annotated[int, Field(ge=0, le=65535)] = 8080


class ClientSettings(BaseSettings):
    """Of the commands that talk to an api. Unset: the stack that runs in `data_dir`, and its admin key."""

    model_config = SettingsConfigDict(env_prefix="COLDSTART_", env_ignore_empty=True, frozen=True, extra="ignore")

    data_dir: Path = Path(".coldstart")
    api_url: HttpUrl | None = None
    api_key: SecretStr | None = None
