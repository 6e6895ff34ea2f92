"""The api service, wired: the control API, its event streams, and the router in front of the workers.

Each room builds what it is made of in its `build.py`; here they are put on top of each other.
"""

import asyncio
import sys
from collections.abc import AsyncGenerator, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import structlog
from litestar.types import ASGIApp
from nats.aio.client import Client
from nats.js import JetStreamContext

from services.api.access.build import access_services
from services.api.access.repository import ApiKeyRepository
from services.api.admission.build import admission_services
from services.api.admission.read_your_writes import ReadYourWrites
from services.api.application import application
from services.api.catalogue.build import catalogue_services, loaded_access_cache
from services.api.console.build import console_services
from services.api.control.build import control_services
from services.api.control.dependencies import Services
from services.api.estimates.build import loaded_estimates
from services.api.feed.build import feed_services
from services.api.http.build import serving_as_set
from services.api.provider_statuses import KnownStatuses
from services.api.router.build import running_router
from services.api.router.near_misses import meant
from services.api.settings import ApiSettings
from services.api.tenancy.build import tenancy_services
from services.api.usage.build import usage_services
from shared.bus.connection import connect
from shared.bus.start_up import guarded
from shared.bus.topology_guard import TopologyGuard
from shared.install_output import InstallOutputs
from shared.journal.journal import Journal
from shared.offers.instance_types import InstanceTypes
from shared.offers.provider_status import ProviderStatuses
from shared.postgres.connection import Pool, connect_pool
from shared.postgres.migrate import migrate
from shared.running import alongside
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
    instance_types: InstanceTypes
    statuses: ProviderStatuses
    install_outputs: InstallOutputs


@dataclass(frozen=True)
class _Wired:
    """The application, what has to run beside it, and what lets go those who are answered without an end."""

    app: ASGIApp
    tasks: Sequence[Coroutine[Any, Any, None]]
    leave: Callable[[], None]
    stop: Callable[[], None]
    """Breaks off, with an error, what is still being answered when the time is up."""


@asynccontextmanager
async def running(settings: ApiSettings) -> AsyncGenerator[Api]:
    """Serve until the block ends; then let event streams go at once and requests finish."""
    warn_if_off(settings)
    lost_touch = asyncio.Event()
    async with _bus(settings, lost_touch) as bus, _database(settings) as pool:
        first_admin_key = None if settings.admin_key else await _first_admin_key(ApiKeyRepository(pool))
        async with (
            _wired(settings, bus, pool, lost_touch) as wired,
            alongside(*wired.tasks),
            serving_as_set(wired.app, settings, meant=meant, on_leaving=wired.leave, on_time_up=wired.stop) as url,
        ):
            log.info("serving", url=url)
            yield Api(url, first_admin_key)


@asynccontextmanager
async def _wired(settings: ApiSettings, bus: _Bus, pool: Pool, lost_touch: asyncio.Event) -> AsyncGenerator[_Wired]:
    """The rooms, each with what it needs of those below."""
    read_your_writes = ReadYourWrites(pool, settings.projection_wait_seconds)
    cache = await loaded_access_cache(pool, settings, read_your_writes.moved)
    access, tenancy, usage = access_services(pool, cache, settings), tenancy_services(pool), usage_services(pool)
    estimates = await loaded_estimates(pool, settings)
    feed = feed_services(bus.connection, pool, cache, estimates, settings, resumed=lost_touch.set)
    async with running_router(
        settings,
        access=cache,
        authentication=access.authentication,
        estimates=estimates,
        feed=feed.feed,
        read_model=feed.read_model,
        ledger=usage.usage,
        lost_touch=lost_touch,
    ) as router:
        await feed.begin(bus.guard.identity.installation)
        with catalogue_services(pool, cache, settings) as catalogue:
            admission = admission_services(
                settings,
                journal=bus.journal,
                read_your_writes=read_your_writes,
                tenancy=tenancy,
                catalogue=catalogue,
                usage=usage,
                instance_types=bus.instance_types,
                statuses=bus.statuses,
            )
            control = control_services(bus.connection, pool, settings, catalogue=catalogue, admission=admission)
            console = console_services(pool, access, settings)
            provider_statuses = KnownStatuses(bus.statuses)
            rooms = (bus, access, tenancy, usage, feed, router, catalogue, admission, control, console)
            app = application(
                settings,
                inference=router.inference,
                authentication=access.authentication,
                services=Services(settings, estimates, provider_statuses, rooms=rooms),
            )

            def leave() -> None:
                feed.feed.close()
                access.authentication.wrong_keys.close()

            limit_checks = admission.limits.run(settings.limits_check_seconds)
            tasks = (cache.run(), feed.feed.run(), estimates.run(), limit_checks, provider_statuses.run())
            yield _Wired(app, tasks, leave, router.stop)


@asynccontextmanager
async def _bus(settings: ApiSettings, lost_touch: asyncio.Event) -> AsyncGenerator[_Bus]:
    """It sets `lost_touch` whenever something may have been missed."""
    connection = await connect(settings.nats_url.get_secret_value(), "api", lost_touch.set)
    try:
        async with guarded(connection, settings) as guard:
            jetstream, replicas = connection.jetstream(), settings.stream_replicas
            source = f"/coldstart/{guard.identity.installation}"
            yield _Bus(
                connection,
                jetstream,
                guard,
                Journal(connection, actor="api", source=source, appended=guard.appended),
                InstanceTypes(jetstream, replicas=replicas),
                ProviderStatuses(jetstream, replicas=replicas),
                InstallOutputs(jetstream, replicas=replicas),
            )
    finally:
        await connection.close()


@asynccontextmanager
async def _database(settings: ApiSettings) -> AsyncGenerator[Pool]:
    url = settings.database_url.get_secret_value()
    async with connect_pool(url, name="api", command_timeout_s=settings.database_timeout_seconds) as pool:
        await migrate(pool)
        yield pool


async def _first_admin_key(api_keys: ApiKeyRepository) -> str | None:
    made = await api_keys.add_first_admin_key()
    if made is None:
        return None
    sys.stdout.write(f"The administrator's API key, shown only this once: {made.key}\n")
    sys.stdout.flush()
    return made.key
