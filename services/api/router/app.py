"""The router, wired: what it knows, what it asks, and the tasks that keep both up to date."""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from nats.aio.client import Client

from services.api.access.authentication import Authentication
from services.api.catalogue.access_cache import AccessCache
from services.api.estimates.estimates import Estimates
from services.api.feed.feed import Feed
from services.api.feed.repository import ReadModelRepository
from services.api.router.balance import Balance
from services.api.router.bodies import Bodies
from services.api.router.breakers import Breakers
from services.api.router.explaining import Explaining
from services.api.router.forwarding import Forwarding
from services.api.router.inference import Inference
from services.api.router.key_limits import Limits
from services.api.router.metrics import Gauges
from services.api.router.nearest import Nearest
from services.api.router.probing import prober
from services.api.router.reconciling import Reconciling
from services.api.router.serving import Serving
from services.api.router.table import RoutingTable
from services.api.router.unready import Unready
from services.api.router.waiting import Waiting
from services.api.settings import ApiSettings
from services.api.upstream import Upstream
from services.api.usage.log import Ledger, UsageLog
from shared.lifecycle.instance import Instance
from shared.postgres.connection import DATABASE_ERRORS
from shared.secrets import Secrets


@dataclass(frozen=True)
class Router:
    """`feed` is what its table follows, and what the event streams are served from."""

    inference: Inference
    explaining: Explaining
    feed: Feed
    gauges: Gauges


@asynccontextmanager
async def router(
    settings: ApiSettings,
    connection: Client,
    *,
    installation: UUID,
    read_model: ReadModelRepository,
    ledger: Ledger,
    access: AccessCache,
    authentication: Authentication,
    estimates: Estimates,
    lost_touch: asyncio.Event,
) -> AsyncGenerator[Router]:
    """It knows what the read model knows when the block begins, and follows the stream while it lasts.

    Whoever notices that something may have been missed sets `lost_touch`.
    """
    upstream = Upstream(
        connect_s=settings.worker_connect_seconds,
        silence_s=settings.worker_silence_seconds,
        kept_alive_s=settings.worker_kept_alive_seconds,
    )
    balance = Balance()
    breakers = Breakers(
        prober(upstream, settings.breaker_probe_seconds),
        failures=settings.breaker_failures,
        first_pause_s=settings.breaker_pause_seconds,
        longest_pause_s=settings.breaker_longest_pause_seconds,
    )

    def gone(instance_id: UUID) -> None:
        balance.forget(instance_id)
        breakers.forget(instance_id)

    table = RoutingTable(Secrets(settings.master_secret.get_secret_value()), settings.worker_port, gone)

    def apply(instance: Instance) -> None:
        table.apply(instance)
        estimates.apply(instance)

    def begin_with(instances: Sequence[Instance]) -> None:
        table.replace(instances)
        estimates.replace(instances)

    feed = Feed(
        connection,
        apply=apply,
        forget=lambda: begin_with(()),
        resumed=lost_touch.set,
        heartbeat_s=settings.stream_heartbeat_seconds,
    )

    def is_stale() -> bool:
        return feed.age > settings.router_staleness_seconds

    reconciling = Reconciling(table, read_model, feed, lost_touch, interval_s=settings.routes_refresh_seconds)
    position, standing = await read_model.standing(installation)
    begin_with(standing)
    feed.begin(installation, position)

    nearest = Nearest(table, estimates)
    waiting = Waiting(
        table,
        nearest,
        most=settings.wait_for_ready_requests,
        most_each=settings.wait_for_ready_requests_per_organization,
        most_a_key=settings.wait_for_ready_requests_per_key,
        longest_s=settings.wait_for_ready_seconds,
        heartbeat_s=settings.wait_heartbeat_seconds,
    )
    usage = UsageLog(
        ledger, interval_s=settings.usage_write_seconds, kept=timedelta(days=settings.usage_retention_days)
    )
    limits = Limits(most_each=settings.max_requests_per_organization)
    serving = Serving(
        forwarding=Forwarding(
            upstream,
            table,
            balance,
            breakers,
            is_stale=is_stale,
        ),
        waiting=waiting,
        unready=Unready(nearest, estimates),
        limits=limits,
        usage=usage,
        longest_s=settings.request_deadline_seconds,
    )
    try:
        async with asyncio.TaskGroup() as group:
            running = (feed.run(), breakers.run(), reconciling.run(), usage.run())
            tasks = [group.create_task(one) for one in running]
            try:
                yield Router(
                    Inference(
                        access,
                        authentication,
                        serving,
                        limits=limits,
                        bodies=Bodies(
                            most=settings.max_inference_bytes_held, longest=settings.max_inference_body_bytes
                        ),
                        body_s=settings.request_body_seconds,
                    ),
                    Explaining(access, table, balance, breakers, is_stale=is_stale),
                    feed,
                    Gauges(feed, balance, breakers),
                )
            finally:
                for task in tasks:
                    task.cancel()
    finally:
        await upstream.close()
        with suppress(*DATABASE_ERRORS):  # it was tried for as long as there was time
            await usage.write()
