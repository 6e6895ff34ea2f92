"""The progress service's settings."""

from pathlib import Path

from pydantic import Field, SecretStr

from shared.metrics import WithMetrics
from shared.settings import WithDatabase


class ProgressSettings(WithDatabase, WithMetrics):
    """Times in seconds.

    `standby_seconds`: how often a standby checks whether it is needed; `stream_heartbeat_seconds`: the interval of
    heartbeats of an idle stream (two missed ones mean an interruption); `longest_pause_seconds`: the longest pause
    between two tries while a server is away.
    `archive_dir`: the folder of the archive, the same for every process. `retention_days`: how long the history of a
    finished instance stays in the stream after its last event.
    `fleet_count_seconds`: how often the fleet is counted for the metrics, where they are served.
    `followers_nats_url`: the followers' server, to which the stream is copied; if unset, it is not copied.
    """

    archive_dir: Path | None = None
    retention_days: float = Field(default=365.0, ge=0, le=36_500)
    followers_nats_url: SecretStr | None = None
    standby_seconds: float = Field(default=0.5, gt=0)
    stream_heartbeat_seconds: float = Field(default=1.0, ge=0.1)
    fleet_count_seconds: float = Field(default=15.0, gt=0)
    longest_pause_seconds: float = Field(default=5.0, gt=0)
