"""The feed's settings."""

from pathlib import Path

from pydantic import Field, PositiveFloat

from services.api.http.settings import HttpSettings


class FeedSettings(HttpSettings):
    """`estimate_seconds`: how often an event stream sends estimates for starting instances.

    `router_staleness_seconds`: how long the router continues without word from the stream; health relies on it.
    `router_snapshot_dir`: the folder in which the router keeps keys and routes, to go on by them without NATS or
    PostgreSQL; if unset, none are kept. `router_snapshot_seconds`: how often they are written at most.
    `router_snapshot_max_age_seconds`: how long the router goes on by keys and routes of a former moment.
    """

    router_staleness_seconds: PositiveFloat = 15.0
    router_snapshot_dir: Path | None = None
    router_snapshot_seconds: PositiveFloat = 10.0
    router_snapshot_max_age_seconds: PositiveFloat = 3_600.0
    stream_heartbeat_seconds: PositiveFloat = 1.0
    estimate_seconds: PositiveFloat = 5.0
    ping_seconds: PositiveFloat = 15.0
    max_backlog: int = Field(default=1_000, gt=0, description="events an SSE client may be behind before it is dropped")

    @property
    def routes_expire_seconds(self) -> float:
        """How long the router continues with the routes of the last moment."""
        if self.router_snapshot_dir is None:
            return self.router_staleness_seconds
        return max(self.router_staleness_seconds, self.router_snapshot_max_age_seconds)
