"""The feed's settings."""

from pydantic import Field, PositiveFloat

from services.api.http.settings import HttpSettings


class FeedSettings(HttpSettings):
    """`estimate_seconds`: how often an event stream sends estimates for starting instances.

    `router_staleness_seconds`: how long the router continues without word from the stream; health relies on it.
    """

    router_staleness_seconds: PositiveFloat = 15.0
    stream_heartbeat_seconds: PositiveFloat = 1.0
    estimate_seconds: PositiveFloat = 5.0
    ping_seconds: PositiveFloat = 15.0
    max_backlog: int = Field(default=1_000, gt=0, description="events an SSE client may be behind before it is dropped")
