"""What the api reads from its environment."""

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field
from pydantic_settings import NoDecode, SettingsConfigDict

from shared.admin_key import AdminKey
from shared.settings import HttpUrl, WithDatabase, WithHub, WithMachines

Seconds = Annotated[float, Field(gt=0)]


def _words(value: Any) -> Any:
    """As `cloud,hub`: whoever exports it writes no JSON."""
    return [word.strip() for word in value.split(",") if word.strip()] if isinstance(value, str) else value


class ApiSettings(WithDatabase, WithMachines, WithHub):
    """`api_port` 0 takes any free port. All times are in seconds.

    `admin_key`: the administrator's key; unset, one is made at the first start and printed once.
    `metrics_access`: who may read `/metrics`: whoever has an administrator's key, everybody, or nobody.
    `eta_refresh_seconds`: how often past launches are read again; `estimate_seconds`: how often an event stream tells
    when what is starting up will be ready.
    `limits_check_seconds`: how often it is looked whether an organisation has reached a spending limit.
    `simulated`: what of cloud and hub is simulated, for its users to be told.
    `session_seconds`: for how long a browser stays signed in to the console.
    `hub_search_timeout_seconds`: for how long somebody who searches for a model waits for the hub's part of the answer.
    `client_kept_alive_seconds`: for how long a client's connection is kept for its next request; OpenAI's clients keep
    theirs for five seconds, load balancers mostly for sixty, and whoever is asked should keep it longer than who asks.
    `request_head_seconds`, `request_body_seconds`: within which each has to come; a connection that says nothing has as
    long as a head. `discard_seconds`: for how long the rest of a refused upload is read and thrown away, so that its
    sender sees why. `stall_seconds`: for how long a client may read nothing of its answer.
    `router_staleness_seconds`: for how long the router goes on without hearing from the stream; health counts on it.
    """

    model_config = SettingsConfigDict(populate_by_name=True)

    api_host: str = "127.0.0.1"
    api_port: int = Field(default=8080, ge=0, le=65535)
    admin_key: AdminKey | None = None

    metrics_access: Literal["admin", "open", "off"] = "admin"

    simulated: Annotated[tuple[Literal["cloud", "hub"], ...], NoDecode, BeforeValidator(_words)] = Field(
        default=(), examples=["cloud, hub, or both, as cloud,hub"]
    )

    hf_endpoint: HttpUrl = Field(default="https://huggingface.co", validation_alias="HF_ENDPOINT")
    hub_timeout_seconds: Seconds = 10.0
    hub_cache_seconds: Seconds = 600.0
    hub_search_timeout_seconds: Seconds = 4.0
    hub_search_cache_seconds: Seconds = 60.0

    max_connections: int = Field(default=10_000, gt=0, description="of clients, as far as the descriptors allow")
    max_head_bytes: int = Field(default=32_768, ge=1_024, description="of a request, its first line included")
    max_target_bytes: int = Field(default=8_192, ge=256, description="of a request's address")
    max_headers: int = Field(default=100, ge=10)
    request_head_seconds: Seconds = 10.0
    request_body_seconds: Seconds = 60.0
    discard_seconds: Seconds = 10.0
    client_kept_alive_seconds: Seconds = 75.0
    router_staleness_seconds: Seconds = 15.0
    stream_heartbeat_seconds: Seconds = 1.0
    projection_wait_seconds: Seconds = 0.5
    database_timeout_seconds: Seconds = 10.0
    journal_timeout_seconds: Seconds = 5.0
    reconcile_timeout_seconds: Seconds = 120.0
    refresh_seconds: Seconds = 10.0
    eta_refresh_seconds: Seconds = 60.0
    eta_launches: int = Field(default=1_000, gt=0, description="of the newest past launches, for estimates")
    estimate_seconds: Seconds = 5.0
    limits_check_seconds: Seconds = 60.0
    session_seconds: Seconds = 43_200.0
    sign_in_link_seconds: Seconds = 600.0
    ping_seconds: Seconds = 15.0
    stall_seconds: Seconds = 30.0
    worker_connect_seconds: Seconds = 3.0
    worker_silence_seconds: Seconds = 300.0
    worker_kept_alive_seconds: Seconds = 2.0
    routes_refresh_seconds: Seconds = 60.0
    request_deadline_seconds: Seconds = 600.0
    breaker_failures: int = Field(default=3, gt=0, description="failures of a worker in a row that set it aside")
    breaker_pause_seconds: Seconds = 1.0
    breaker_longest_pause_seconds: Seconds = 30.0
    breaker_probe_seconds: Seconds = 5.0
    wait_for_ready_seconds: Seconds = 1800.0
    wait_for_ready_requests: int = Field(default=1_000, ge=0)
    wait_for_ready_requests_per_organization: int = Field(default=500, ge=0)
    wait_for_ready_requests_per_key: int = Field(default=100, ge=0)
    wait_heartbeat_seconds: Seconds = 5.0
    usage_write_seconds: Seconds = 1.0
    usage_retention_days: int = Field(default=400, gt=0)
    shutdown_seconds: Seconds = 10.0

    max_body_bytes: int = Field(default=1_000_000, gt=0)
    max_inference_body_bytes: int = Field(default=32_000_000, gt=0)
    max_inference_bytes_held: int = Field(default=256_000_000, gt=0, description="of all requests' bodies at once")
    max_requests_per_organization: int = Field(default=2_000, gt=0, description="under /v1 at once")
    max_backlog: int = Field(default=1_000, gt=0, description="events an SSE client may be behind before it is dropped")
