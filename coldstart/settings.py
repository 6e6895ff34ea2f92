"""The command line's settings: where its data is, and which servers it must not start."""

from pathlib import Path
from typing import Annotated

from pydantic import Field, PositiveFloat, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict

from coldstart.places import data_dir
from shared.admin_key import AdminKey
from shared.environment import from_environment
from shared.lifecycle.transport import WorkerTls
from shared.settings import DatabaseUrl, NatsUrl, Replicas, WithHub
from shared.variables import SettingsInvalid
from shared.weights_mirror.settings import WithWeightsMirror

__all__ = ["BackupSettings", "MirrorSettings", "SettingsInvalid", "StackSettings", "from_environment"]


class StackSettings(BaseSettings):
    """Settings of the one-machine stack. With `nats_url` and `database_url` set, it starts no server."""

    model_config = SettingsConfigDict(env_prefix="COLDSTART_", env_ignore_empty=True, frozen=True, extra="ignore")

    data_dir: Path = Field(default_factory=data_dir)
    nats_url: NatsUrl | None = None
    database_url: DatabaseUrl | None = None
    master_secret: SecretStr | None = None
    admin_key: AdminKey | None = None
    api_host: str = "127.0.0.1"
    api_port: Annotated[int, Field(ge=0, le=65535)] = 8080
    worker_tls: WorkerTls = "mutual"
    shutdown_seconds: PositiveFloat = 10.0
    metrics_port: Annotated[int, Field(ge=1, le=65_531)] | None = None
    """The first of five in a row: of progress, health, scaler, provisioner and webhooks."""


class BackupSettings(BaseSettings):
    """The key of backups: in a file, or itself. `stream_replicas`: of restored streams."""

    model_config = SettingsConfigDict(env_prefix="COLDSTART_", env_ignore_empty=True, frozen=True, extra="ignore")

    backup_key_file: Path | None = None
    backup_key: SecretStr | None = None
    stream_replicas: Replicas = 1


class MirrorSettings(WithWeightsMirror, WithHub):
    """The mirror of weights, and the hub that fills it."""
