"""What the event feed reads from the environment."""

from pydantic import Field, PositiveFloat

from services.api.http.settings import HttpSettings


class FeedSettings(HttpSettings):
    """`estimate_seconds`: how often an event stream tells when what is starting up will be ready.

    `router_staleness_seconds`: for how long the router goes on without hearing from the stream; health counts on it.
    """

    router_staleness_seconds: PositiveFloat = 15.0
    stream_heartbeat_seconds: PositiveFloat = 1.0
    estimate_seconds: PositiveFloat = 5.0
    ping_seconds: PositiveFloat = 15.0
    max_backlog: int = Field(default=1_000, gt=0, description="events an SSE client may be behind before it is dropped")
