"""Serves `/v1` from what is kept on disk while a start waits for NATS or PostgreSQL.

The server listens at once then. Requests wait for as long as a start usually takes; those after it are answered by the
kept keys and routes, and everything that is not inference by 503.
"""

import asyncio
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final, Protocol

import structlog
from litestar.types import ASGIApp, Receive, Scope, Send

from services.api.access.authentication import Authentication
from services.api.access.sessions import Sessions
from services.api.access.wrong_keys import WrongKeys
from services.api.catalogue.access_records import KnownAccess
from services.api.estimates.estimates import Estimates
from services.api.http.build import serving_as_set
from services.api.records.place import ProcessPlace
from services.api.router import metrics
from services.api.router.build import Router, running_router
from services.api.router.near_misses import meant
from services.api.router.routes import KeptRoutes
from services.api.router.snapshot import RouterSnapshot, SnapshotFile
from services.api.settings import ApiSettings
from services.api.stand_in_application import stand_in_application
from services.api.usage.log import Ledger, Usage
from shared.clock import CLOCK
from shared.eta.launch import Launch
from shared.running import alongside
from shared.secrets import Secrets

PATIENCE_S: Final = 1.0
"""How long a start has before the kept routes are used: with both servers there, it takes less."""

log = structlog.get_logger()


class CompleteApplication(Protocol):
    """The application of a start that is complete: see `services.api.app`."""

    @property
    def app(self) -> ASGIApp: ...

    @property
    def leave(self) -> Callable[[], None]: ...

    @property
    def stop(self) -> Callable[[], None]: ...

    @property
    def ledger(self) -> Ledger: ...


def snapshot_file(settings: ApiSettings) -> SnapshotFile | None:
    """None if nothing is to be kept."""
    if settings.router_snapshot_dir is None:
        return None
    key = Secrets(settings.master_secret.get_secret_value()).router_snapshot_key()
    return SnapshotFile(settings.router_snapshot_dir, key)


Serve = Callable[[CompleteApplication], AbstractAsyncContextManager[str]]
"""Serves an application until the block ends; yields the URL."""


@asynccontextmanager
async def standing_in(settings: ApiSettings, place: ProcessPlace) -> AsyncGenerator[Serve]:
    """Serve by the kept routes, if there are any, until the complete application is given to what this yields."""
    max_age = timedelta(seconds=settings.router_snapshot_max_age_seconds)
    file = snapshot_file(settings)
    kept = file.read(CLOCK.now(), max_age, settings.installation) if file else None
    if kept is None:
        yield lambda served: serving_as_set(
            served.app, settings, meant=meant, on_leaving=served.leave, on_time_up=served.stop, place=place
        )
        return
    async with AsyncExitStack() as stack:
        ledger, switch = _LateLedger(), _Switch()
        authentication, router = await stack.enter_async_context(
            _by_kept_routes(settings, kept, max_age, ledger, place)
        )
        switch.leaving.append(authentication.wrong_keys.close)
        switch.stopping.append(router.stop)
        instead = stand_in_application(settings, authentication, router, KeptRoutes(kept, max_age))
        await stack.enter_async_context(alongside(_after_patience(switch, instead, kept)))
        url = await stack.enter_async_context(
            serving_as_set(switch, settings, meant=meant, on_leaving=switch.leave, on_time_up=switch.stop, place=place)
        )

        @asynccontextmanager
        async def handed_over(served: CompleteApplication) -> AsyncGenerator[str]:
            """What is still answered by the kept routes goes on until the end, and so does its usage."""
            ledger.there = served.ledger
            switch.leaving.append(served.leave)
            switch.stopping.append(served.stop)
            switch.to(served.app)
            try:
                yield url
            finally:
                await stack.aclose()

        yield handed_over


async def _after_patience(switch: "_Switch", instead: ASGIApp, kept: RouterSnapshot) -> None:
    await asyncio.sleep(PATIENCE_S)
    if not switch.has_begun:
        log.warning("serving by kept routes: NATS or PostgreSQL is away", taken_at=kept.taken_at.isoformat())
        switch.to(instead)


@asynccontextmanager
async def _by_kept_routes(
    settings: ApiSettings, kept: RouterSnapshot, max_age: timedelta, ledger: Ledger, place: ProcessPlace
) -> AsyncGenerator[tuple[Authentication, Router]]:
    access = KnownAccess(settings.admin_key)
    access.take(kept.access)
    sessions = Sessions(Secrets(settings.master_secret.get_secret_value()).session_key())
    authentication = Authentication(access, sessions, WrongKeys(records=place.records))
    metrics.snapshot_taken_at(kept.taken_at)
    async with running_router(
        settings,
        access=access,
        authentication=authentication,
        estimates=Estimates(_NoLaunches(), launches=0, refresh_s=settings.eta_refresh_seconds),
        routes=KeptRoutes(kept, max_age),
        ledger=ledger,
        place=place,
    ) as router:
        yield authentication, router


@dataclass
class _Switch:
    """The application that requests go to. Those that come before there is one wait for it."""

    leaving: list[Callable[[], None]] = field(default_factory=list)
    stopping: list[Callable[[], None]] = field(default_factory=list)
    _app: ASGIApp | None = None
    _begun: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def has_begun(self) -> bool:
        return self._begun.is_set()

    def to(self, app: ASGIApp) -> None:
        self._app = app
        self._begun.set()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._begun.wait()
        assert self._app is not None  # noqa: S101  it has begun
        await self._app(scope, receive, send)

    def leave(self) -> None:
        for each in self.leaving:
            each()

    def stop(self) -> None:
        for each in self.stopping:
            each()


class _LateLedger:
    """Takes no usage before the database is there: until then it stays in memory."""

    def __init__(self) -> None:
        self.there: Ledger | None = None

    async def add(self, rows: Sequence[Usage]) -> None:
        await self._present().add(rows)

    async def forget(self, before: datetime, most: int) -> bool:
        return await self._present().forget(before, most)

    def _present(self) -> Ledger:
        if self.there is None:
            raise ConnectionError("the start still waits for the database")
        return self.there


class _NoLaunches:
    """Nothing is launched meanwhile, so there is nothing to estimate."""

    async def newest(self, _: int) -> list[Launch]:
        return []
