"""The router's settings."""

from typing import Final

from pydantic import Field, PositiveFloat

from services.api.feed.settings import FeedSettings
from services.api.usage.settings import UsageSettings
from shared.settings import WithMachines

_DIVIDED: Final = "each of several api processes holds an equal part of them"


class RouterSettings(FeedSettings, UsageSettings, WithMachines):
    worker_connect_seconds: PositiveFloat = 3.0
    worker_silence_seconds: PositiveFloat = 300.0
    worker_kept_alive_seconds: PositiveFloat = 2.0
    routes_refresh_seconds: PositiveFloat = 60.0
    request_deadline_seconds: PositiveFloat = 600.0
    breaker_failures: int = Field(default=3, gt=0, description="failures of a worker in a row that set it aside")
    breaker_pause_seconds: PositiveFloat = 1.0
    breaker_longest_pause_seconds: PositiveFloat = 30.0
    breaker_probe_seconds: PositiveFloat = 5.0
    wait_for_ready_seconds: PositiveFloat = 1800.0
    wait_for_ready_requests: int = Field(default=1_000, ge=0, description=f"that wait at once; {_DIVIDED}")
    wait_for_ready_requests_per_organization: int = Field(default=500, ge=0, description=_DIVIDED)
    wait_for_ready_requests_per_key: int = Field(default=300, ge=0, description=_DIVIDED)
    wait_heartbeat_seconds: PositiveFloat = 5.0
    max_inference_bytes_held: int = Field(default=256_000_000, gt=0, description="of all requests' bodies at once")
    max_requests_per_organization: int = Field(default=2_000, gt=0, description="under /v1 at once")
