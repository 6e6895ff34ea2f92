"""Builds the router from its parts, and runs the tasks that keep them up to date."""

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

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
from services.api.router.key_limits import KeyLimiter
from services.api.router.metrics import Gauges
from services.api.router.nearest import Nearest
from services.api.router.probing import prober
from services.api.router.reconciling import Reconciling
from services.api.router.serving import Serving
from services.api.router.settings import RouterSettings
from services.api.router.table import RoutingTable
from services.api.router.unready import Unready
from services.api.router.waiting import Waiting
from services.api.upstream import Upstream
from services.api.usage.log import Ledger, UsageLog
from shared.postgres.connection import DATABASE_ERRORS
from shared.running import alongside
from shared.secrets import Secrets


@dataclass(frozen=True)
class Router:
    """`stop` breaks off what is still being answered, each with an error in its format."""

    inference: Inference
    explaining: Explaining
    gauges: Gauges
    stop: Callable[[], None]


@asynccontextmanager
async def running_router(  # long - every part in turn, as they need each other
    settings: RouterSettings,
    *,
    access: AccessCache,
    authentication: Authentication,
    estimates: Estimates,
    feed: Feed,
    read_model: ReadModelRepository,
    ledger: Ledger,
    lost_touch: asyncio.Event,
) -> AsyncGenerator[Router]:
    """Its table follows the feed, which is to begin within the block.

    Set `lost_touch` when events may have been missed.
    """
    upstream, balance = _upstream(settings), Balance()
    breakers = _breakers(upstream, settings)
    table = _table(balance, breakers, settings)
    feed.follow(table)
    reconciling = Reconciling(table, read_model, feed, lost_touch, interval_s=settings.routes_refresh_seconds)
    usage = UsageLog(
        ledger, interval_s=settings.usage_write_seconds, kept=timedelta(days=settings.usage_retention_days)
    )
    limits, nearest = KeyLimiter(most_each=settings.max_requests_per_organization), Nearest(table, estimates, breakers)
    waiting = _waiting(table, breakers, nearest, settings)
    serving = Serving(
        forwarding=Forwarding(upstream, table, balance, breakers, is_stale=feed.is_stale),
        waiting=waiting,
        unready=Unready(nearest, estimates),
        limits=limits,
        usage=usage,
        longest_s=settings.request_deadline_seconds,
    )
    inference = Inference(
        access,
        authentication,
        serving,
        limits=limits,
        bodies=Bodies(most=settings.max_inference_bytes_held, longest=settings.max_inference_body_bytes),
        max_model_len=table.max_model_len,
        body_s=settings.request_body_seconds,
    )
    explaining = Explaining(access, table, balance, breakers, is_stale=feed.is_stale)

    def stop() -> None:
        waiting.stop()
        upstream.stop()

    try:
        async with alongside(breakers.run(), reconciling.run(), usage.run()):
            yield Router(inference, explaining, Gauges(feed, balance, breakers), stop)
    finally:
        await upstream.close()
        with suppress(*DATABASE_ERRORS):  # it was tried for as long as there was time
            await usage.write()


def _upstream(settings: RouterSettings) -> Upstream:
    return Upstream(
        connect_s=settings.worker_connect_seconds,
        silence_s=settings.worker_silence_seconds,
        kept_alive_s=settings.worker_kept_alive_seconds,
    )


def _breakers(upstream: Upstream, settings: RouterSettings) -> Breakers:
    return Breakers(
        prober(upstream, settings.breaker_probe_seconds),
        failures=settings.breaker_failures,
        first_pause_s=settings.breaker_pause_seconds,
        longest_pause_s=settings.breaker_longest_pause_seconds,
    )


def _table(balance: Balance, breakers: Breakers, settings: RouterSettings) -> RoutingTable:
    def lost(instance_id: UUID) -> None:
        balance.forget(instance_id)
        breakers.forget(instance_id)

    return RoutingTable(Secrets(settings.master_secret.get_secret_value()), settings.worker_port, lost)


def _waiting(table: RoutingTable, breakers: Breakers, nearest: Nearest, settings: RouterSettings) -> Waiting:
    return Waiting(
        table,
        breakers,
        nearest,
        most=settings.wait_for_ready_requests,
        most_each=settings.wait_for_ready_requests_per_organization,
        most_a_key=settings.wait_for_ready_requests_per_key,
        longest_s=settings.wait_for_ready_seconds,
        heartbeat_s=settings.wait_heartbeat_seconds,
    )
