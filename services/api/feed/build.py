"""What the event feed is made of."""

from collections.abc import Callable
from dataclasses import dataclass
from uuid import UUID

from nats.aio.client import Client

from services.api.access.api_keys import KnownApiKeys
from services.api.estimates.estimates import Estimates
from services.api.feed.feed import Feed
from services.api.feed.repository import ReadModelRepository
from services.api.feed.settings import FeedSettings
from services.api.feed.sse import EventSource
from shared.postgres.connection import Pool
from shared.worker_tls import warn_of_plain_workers


@dataclass(frozen=True)
class FeedServices:
    feed: Feed
    read_model: ReadModelRepository
    event_source: EventSource

    async def begin(self, installation: UUID) -> None:
        """Give all followers what the read model knows; the feed goes on behind it."""
        standing = await self.read_model.standing(installation)
        warn_of_plain_workers(standing.instances)
        self.feed.begin(standing)


def feed_services(
    connection: Client,
    pool: Pool,
    keys: KnownApiKeys,
    estimates: Estimates,
    settings: FeedSettings,
    *,
    resumed: Callable[[], None],
) -> FeedServices:
    """Estimates are its first followers."""
    feed = Feed(
        connection,
        resumed=resumed,
        heartbeat_s=settings.stream_heartbeat_seconds,
        stale_after_s=settings.routes_expire_seconds,
    )
    feed.follow(estimates)
    event_source = EventSource(
        feed,
        keys,
        estimates,
        estimate_s=settings.estimate_seconds,
        ping_s=settings.ping_seconds,
        stall_s=settings.stall_seconds,
        max_backlog=settings.max_backlog,
    )
    return FeedServices(feed, ReadModelRepository(pool), event_source)
