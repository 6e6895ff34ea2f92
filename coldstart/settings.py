"""What the command line reads from the environment: where its data lies, and what it must not start itself."""

from pathlib import Path

from pydantic import SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict


class StackSettings(BaseSettings):
    """Of the one-machine stack. With `nats_url` and `database_url` set, no server is started."""

    model_config = SettingsConfigDict(env_prefix="COLDSTART_", env_ignore_empty=True, frozen=True, extra="ignore")

    data_dir: Path = Path(".coldstart")
    nats_url: SecretStr | None = None
    database_url: SecretStr | None = None
    master_secret: SecretStr | None = None
    admin_key: SecretStr | None = None
    api_host: str = "127.0.0.1"
    api_port: int = 8080


class ClientSettings(BaseSettings):
    """Of the commands that talk to an api. Unset: the stack that runs in `data_dir`, and its admin key."""

    model_config = SettingsConfigDict(env_prefix="COLDSTART_", env_ignore_empty=True, frozen=True, extra="ignore")

    data_dir: Path = Path(".coldstart")
    api_url: str | None = None
    api_key: SecretStr | None = None


class CloudSettings(BaseSettings):
    """Whether a real cloud is configured: Scaleway's own variable."""

    model_config = SettingsConfigDict(env_prefix="SCW_", env_ignore_empty=True, frozen=True, extra="ignore")

    secret_key: SecretStr | None = None
