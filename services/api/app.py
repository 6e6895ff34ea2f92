"""The api service, wired: the control API, its event streams, and the router in front of the workers.

Each room builds what it is made of in its `build.py`; here they are put on top of each other.
"""

import asyncio
import sys
from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import Any

import structlog
from litestar.types import ASGIApp
from nats.aio.client import Client
from nats.js import JetStreamContext

from services.api import metrics
from services.api.access.authentication import Authentication
from services.api.access.build import access_services
from services.api.access.repository import ApiKeyRepository
from services.api.admission.build import admission_services
from services.api.admission.read_your_writes import ReadYourWrites
from services.api.application import application
from services.api.audit.build import audit_services
from services.api.catalogue.access_records import KnownAccess
from services.api.catalogue.build import catalogue_services, loaded_access_cache
from services.api.console.build import console_services
from services.api.control.build import control_services
from services.api.control.dependencies import Services
from services.api.deployments.build import deployment_services
from services.api.estimates.build import loaded_estimates
from services.api.feed.build import FeedServices, feed_services
from services.api.feed.feed import Feed
from services.api.feed.lost_database import LostDatabase
from services.api.observers import Observers
from services.api.process_metrics import metrics_socket
from services.api.provider_statuses import KnownStatuses
from services.api.records.place import ALONE, ProcessPlace
from services.api.router.build import Followed, running_router
from services.api.router.load_reports import publish
from services.api.router.reconciling import Reconciling
from services.api.router.snapshotting import Snapshotting
from services.api.settings import ApiSettings
from services.api.stand_in import snapshot_file, standing_in
from services.api.tenancy.build import tenancy_services
from services.api.usage.build import usage_services
from services.api.usage.log import Ledger
from services.api.webhooks.build import webhook_services
from shared.bus.connection import connect
from shared.bus.reader import stream_state
from shared.bus.server_clock import keeping_time
from shared.bus.start_up import guarded
from shared.bus.topology_guard import TopologyGuard
from shared.install_output import InstallOutputs
from shared.journal.deployments import DeploymentJournal
from shared.journal.journal import Journal
from shared.launching import QUEUE as LAUNCHING_QUEUE
from shared.launching import SUBJECT as LAUNCHES
from shared.observation import SUBJECT
from shared.offers.instance_types import InstanceTypes
from shared.offers.provider_status import ProviderStatuses
from shared.postgres.connection import Pool, connect_pool
from shared.postgres.migrate import migrate
from shared.running import alongside
from shared.store_space import StoreSpace
from shared.worker_tls import warn_if_off

log = structlog.get_logger()


@dataclass(frozen=True)
class Api:
    """`url` is where it listens; `first_admin_key` is the key that this start has made, if any."""

    url: str
    first_admin_key: str | None


@dataclass(frozen=True)
class _Bus:
    """What is reached over NATS."""

    connection: Client
    jetstream: JetStreamContext
    guard: TopologyGuard
    journal: Journal
    deployments: DeploymentJournal
    instance_types: InstanceTypes
    statuses: ProviderStatuses
    install_outputs: InstallOutputs
    space: StoreSpace


@dataclass(frozen=True)
class _Database:
    """`lost` knows what was in it."""

    pool: Pool
    lost: LostDatabase


@dataclass(frozen=True)
class _Wired:
    """The application, what has to run beside it, and what lets go those who are answered without an end."""

    app: ASGIApp
    ledger: Ledger
    tasks: Sequence[Coroutine[Any, Any, None]]
    leave: Callable[[], None]
    metrics: Callable[[], Awaitable[bytes]]
    stop: Callable[[], None]
    """Breaks off, with an error, what is still being answered when the time is up."""


@asynccontextmanager
async def running(settings: ApiSettings, place: ProcessPlace = ALONE) -> AsyncGenerator[Api]:
    """Serve until the block ends; then let event streams go at once and requests finish."""
    warn_if_off(settings)
    lost_touch = asyncio.Event()
    async with (
        standing_in(settings, place) as serve,
        _bus(settings, lost_touch) as bus,
        _database(settings, bus) as database,
    ):
        first_admin_key = None if settings.admin_key else await _first_admin_key(ApiKeyRepository(database.pool))
        async with (
            _wired(settings, bus, database, lost_touch, place) as wired,
            alongside(*wired.tasks),
            metrics_socket(place, wired.metrics),
            serve(wired) as url,
        ):
            log.info("serving", url=url)
            yield Api(url, first_admin_key)


@asynccontextmanager
async def _wired(  # long - every room in turn, as they need each other
    settings: ApiSettings, bus: _Bus, database: _Database, lost_touch: asyncio.Event, place: ProcessPlace
) -> AsyncGenerator[_Wired]:
    """The rooms, each with what it needs of those below."""
    pool = database.pool
    read_your_writes = ReadYourWrites(pool, settings.projection_wait_seconds)
    cache = await loaded_access_cache(pool, settings, read_your_writes.moved)
    access, tenancy, usage = access_services(pool, cache, settings, place), tenancy_services(pool), usage_services(pool)
    estimates = await loaded_estimates(pool, settings)
    feed = feed_services(bus.connection, pool, cache, estimates, settings, resumed=lost_touch.set)
    async with running_router(
        settings,
        access=cache,
        authentication=access.authentication,
        estimates=estimates,
        routes=feed.feed,
        ledger=usage.usage,
        kept_up=partial(
            _kept_up, bus=bus, feed=feed, access=cache, settings=settings, lost_touch=lost_touch, place=place
        ),
        place=place,
    ) as router:
        cache.served = router.deployments.served_model
        await feed.begin(bus.guard.identity.installation)
        with catalogue_services(pool, cache, settings) as catalogue:
            admission = admission_services(
                settings,
                journal=bus.journal,
                deployments=bus.deployments,
                read_your_writes=read_your_writes,
                tenancy=tenancy,
                catalogue=catalogue,
                usage=usage,
                instance_types=bus.instance_types,
                statuses=bus.statuses,
                space=bus.space,
                place=place,
            )
            deployments = await deployment_services(bus.connection, pool, estimates)
            control = control_services(
                bus.connection,
                pool,
                settings,
                catalogue=catalogue,
                admission=admission,
                estimates=estimates,
                heard=deployments.heard,
            )
            audit = audit_services(pool)
            console = console_services(pool, access, audit, settings)
            provider_statuses, observers = KnownStatuses(bus.statuses), Observers()
            await bus.connection.subscribe(SUBJECT, cb=observers.on_message)
            launching = admission.replica_launches
            await bus.connection.subscribe(LAUNCHES, queue=LAUNCHING_QUEUE, cb=launching.on_message)
            rooms = (
                bus,
                audit,
                database,
                access,
                tenancy,
                usage,
                feed,
                deployments,
                router,
                catalogue,
                admission,
                control,
                console,
                webhook_services(pool, settings),
            )
            app = application(
                settings,
                inference=router.inference,
                authentication=access.authentication,
                services=Services(settings, estimates, provider_statuses, observers, place, rooms=rooms),
            )

            leave = partial(_leave, feed.feed, access.authentication)
            limit_checks = admission.limits.run(settings.limits_check_seconds)
            watching = (limit_checks, provider_statuses.run(), bus.space.run(), database.lost.run())
            tasks = (
                cache.run(),
                feed.feed.run(),
                estimates.run(),
                deployments.recent.run(),
                launching.run(),
                audit.audit.keep(timedelta(days=settings.audit_retention_days)),
                *watching,
            )
            shown = partial(metrics.rendered, feed.feed, router.gauges, bus.jetstream)
            yield _Wired(app, usage.usage, tasks, leave, shown, router.stop)


def _leave(feed: Feed, authentication: Authentication) -> None:
    feed.close()
    authentication.wrong_keys.close()


def _kept_up(
    followed: Followed,
    *,
    bus: _Bus,
    feed: FeedServices,
    access: KnownAccess,
    settings: ApiSettings,
    lost_touch: asyncio.Event,
    place: ProcessPlace,
) -> Iterator[Coroutine[Any, Any, None]]:
    """The load is told; the routing table is compared with the read model, and kept on disk by one process."""
    table, refresh_s = followed.table, settings.routes_refresh_seconds
    yield followed.reports.run(partial(publish, bus.connection))
    yield Reconciling(table, followed.deployments, feed.read_model, feed.feed, lost_touch, interval_s=refresh_s).run()
    if place.process == 0 and (file := snapshot_file(settings)) is not None:
        interval_s, fresh_s = settings.router_snapshot_seconds, settings.router_staleness_seconds
        yield Snapshotting(file, access, table, feed.feed, interval_s=interval_s, fresh_s=fresh_s).run()


@asynccontextmanager
async def _bus(settings: ApiSettings, lost_touch: asyncio.Event) -> AsyncGenerator[_Bus]:
    """It sets `lost_touch` whenever something may have been missed."""
    connection = await connect(settings.nats_url.get_secret_value(), "api", lost_touch.set)
    try:
        async with guarded(connection, settings) as guard, keeping_time(connection):
            jetstream, replicas = connection.jetstream(), settings.stream_replicas
            source = f"/coldstart/{guard.identity.installation}"
            yield _Bus(
                connection,
                jetstream,
                guard,
                Journal(connection, actor="api", source=source, appended=guard.appended),
                DeploymentJournal(connection, actor="api", source=source, appended=guard.appended),
                InstanceTypes(jetstream, replicas=replicas),
                ProviderStatuses(jetstream, replicas=replicas),
                InstallOutputs(jetstream, replicas=replicas),
                StoreSpace(settings.store_folders, settings.space, jetstream.account_info),
            )
    finally:
        await connection.close()


@asynccontextmanager
async def _database(settings: ApiSettings, bus: _Bus) -> AsyncGenerator[_Database]:
    url = settings.database_url.get_secret_value()
    timeout_s = settings.database_timeout_seconds
    async with connect_pool(url, name="api", command_timeout_s=timeout_s, waits=True) as pool:
        await migrate(pool)
        lost, stream = LostDatabase(pool, refresh_s=settings.refresh_seconds), await stream_state(bus.connection)
        await lost.begin(stream.installation, stream.last_sequence)
        yield _Database(pool, lost)


async def _first_admin_key(api_keys: ApiKeyRepository) -> str | None:
    made = await api_keys.add_first_admin_key()
    if made is None:
        return None
    sys.stdout.write(f"The administrator's API key, shown only this once: {made.key}\n")
    sys.stdout.flush()
    return made.key
