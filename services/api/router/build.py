"""Builds the router from its parts, and runs the tasks that keep them up to date."""

from collections.abc import AsyncGenerator, Callable, Coroutine, Iterable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

from services.api.access.authentication import Authentication
from services.api.catalogue.access_records import KnownAccess
from services.api.deployments.table import DeploymentTable
from services.api.estimates.estimates import Estimates
from services.api.records.place import ProcessPlace
from services.api.router.balance import Balance
from services.api.router.bodies import Bodies
from services.api.router.breakers import Breakers
from services.api.router.explaining import Explaining
from services.api.router.fallback import Fallback
from services.api.router.forwarding import Forwarding
from services.api.router.inference import Inference
from services.api.router.key_limits import KeyLimiter
from services.api.router.load_counts import LoadCounts
from services.api.router.load_reports import LoadReports
from services.api.router.metrics import Gauges
from services.api.router.model_details import ModelDetails
from services.api.router.nearest import Nearest
from services.api.router.probing import prober
from services.api.router.routes import Routes
from services.api.router.serving import Serving
from services.api.router.settings import RouterSettings
from services.api.router.table import RoutingTable
from services.api.router.unready import Unready
from services.api.router.waiting import MostWaiting, Waiting
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
    deployments: DeploymentTable
    stop: Callable[[], None]


@dataclass(frozen=True)
class Followed:
    """What follows the routes, and what is to be told of it."""

    table: RoutingTable
    deployments: DeploymentTable
    reports: LoadReports


def _not_at_all(_: Followed) -> tuple[()]:
    return ()


@asynccontextmanager
async def running_router(  # long - every part in turn, as they need each other
    settings: RouterSettings,
    *,
    access: KnownAccess,
    authentication: Authentication,
    estimates: Estimates,
    routes: Routes,
    ledger: Ledger,
    place: ProcessPlace,
    kept_up: Callable[[Followed], Iterable[Coroutine[Any, Any, None]]] = _not_at_all,
) -> AsyncGenerator[Router]:
    """Its tables follow the routes, which may begin within the block. `kept_up`: what else runs for them."""
    upstream, balance = _upstream(settings), Balance()
    breakers = _breakers(upstream, settings, place)
    table, deployments = _table(balance, breakers, settings), DeploymentTable()
    routes.follow(table)
    routes.follow_deployments(deployments)
    deployments.on_change(table.changed)
    usage = UsageLog(
        ledger, interval_s=settings.usage_write_seconds, kept=timedelta(days=settings.usage_retention_days)
    )
    limits = KeyLimiter(most_each=settings.max_requests_per_organization, records=place.records)
    nearest, counts = Nearest(table, estimates, breakers, deployments), LoadCounts(deployments)
    fallback = Fallback(access, deployments)
    waiting = Waiting(
        table,
        breakers,
        nearest,
        counts,
        most=_most_waiting(settings, place),
        longest_s=settings.wait_for_ready_seconds,
        heartbeat_s=settings.wait_heartbeat_seconds,
    )
    serving = Serving(
        forwarding=Forwarding(upstream, table, balance, breakers, is_stale=routes.is_stale),
        waiting=waiting,
        unready=Unready(nearest, estimates, deployments),
        fallback=fallback,
        counts=counts,
        limits=limits,
        usage=usage,
        longest_s=settings.request_deadline_seconds,
    )
    inference = Inference(
        access,
        authentication,
        serving,
        limits=limits,
        bodies=Bodies(most=place.part(settings.max_inference_bytes_held), longest=settings.max_inference_body_bytes),
        details=ModelDetails(table, deployments),
    )
    explaining = Explaining(
        access, table, balance, breakers, deployments=deployments, fallback=fallback, is_stale=routes.is_stale
    )
    followed = Followed(table, deployments, LoadReports(counts, table, balance, estimates))

    def stop() -> None:
        waiting.stop()
        upstream.stop()

    try:
        async with alongside(breakers.run(), usage.run(), *kept_up(followed)):
            yield Router(inference, explaining, Gauges(routes, balance, breakers), deployments, stop)
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


def _breakers(upstream: Upstream, settings: RouterSettings, place: ProcessPlace) -> Breakers:
    return Breakers(
        prober(upstream, settings.breaker_probe_seconds),
        failures=settings.breaker_failures,
        first_pause_s=settings.breaker_pause_seconds,
        longest_pause_s=settings.breaker_longest_pause_seconds,
        records=place.records,
    )


def _table(balance: Balance, breakers: Breakers, settings: RouterSettings) -> RoutingTable:
    def lost(instance_id: UUID) -> None:
        balance.forget(instance_id)
        breakers.forget(instance_id)

    return RoutingTable(Secrets(settings.master_secret.get_secret_value()), settings.worker_port, lost)


def _most_waiting(settings: RouterSettings, place: ProcessPlace) -> MostWaiting:
    return MostWaiting(
        place.part(settings.wait_for_ready_requests),
        place.part(settings.wait_for_ready_requests_per_organization),
        place.part(settings.wait_for_ready_requests_per_key),
    )
