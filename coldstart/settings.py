"""What the command line reads from the environment: where its data lies, and what it must not start itself."""

from pathlib import Path
from typing import Annotated, TypeVar

from pydantic import Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from shared.admin_key import AdminKey


class StackSettings(BaseSettings):
    """Of the one-machine stack. With `nats_url` and `database_url` set, no server is started."""

    model_config = SettingsConfigDict(env_prefix="COLDSTART_", env_ignore_empty=True, frozen=True, extra="ignore")

    data_dir: Path = Path(".coldstart")
    nats_url: SecretStr | None = None
    database_url: SecretStr | None = None
    master_secret: SecretStr | None = None
    admin_key: AdminKey | None = None
    api_host: str = "127.0.0.1"
    api_port: Annotated[int, Field(ge=0, le=65535)] = 8080


class ClientSettings(BaseSettings):
    """Of the commands that talk to an api. Unset: the stack that runs in `data_dir`, and its admin key."""

    model_config = SettingsConfigDict(env_prefix="COLDSTART_", env_ignore_empty=True, frozen=True, extra="ignore")

    data_dir: Path = Path(".coldstart")
    api_url: str | None = None
    api_key: SecretStr | None = None


class CloudSettings(BaseSettings):
    """Whether there is anything real to provision: Scaleway by its own variable, a file of one's own machines."""

    model_config = SettingsConfigDict(env_prefix="SCW_", env_ignore_empty=True, frozen=True, extra="ignore")

    secret_key: SecretStr | None = None
    machines: Path | None = Field(default=None, validation_alias="COLDSTART_MACHINES")

    @property
    def names(self) -> str:
        """What is configured, for people; empty when nothing is."""
        scaleway = "Scaleway" if self.secret_key else ""
        own = f"machines in {self.machines}" if self.machines else ""
        return " and ".join(filter(None, (scaleway, own)))


class SettingsInvalid(Exception):
    """Names each variable that holds what it cannot; not what it holds, which may be a secret."""


Settings = TypeVar("Settings", bound=BaseSettings)


def from_environment(kind: type[Settings]) -> Settings:
    """Raises SettingsInvalid."""
    try:
        return kind()
    except ValidationError as error:
        prefix = kind.model_config.get("env_prefix", "")
        wrong = [f"{prefix}{'.'.join(map(str, item['loc']))}".upper() + f": {item['msg']}" for item in error.errors()]
        raise SettingsInvalid("\n".join(wrong)) from None
