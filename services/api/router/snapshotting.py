"""Keeps on disk what the router serves by, so that it can serve without NATS and PostgreSQL after a restart."""

import asyncio
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final, Protocol
from uuid import UUID

import structlog

from services.api.catalogue.access_records import KnownAccess
from services.api.router import metrics
from services.api.router.snapshot import RouterSnapshot, SnapshotFile
from services.api.router.table import RoutingTable
from shared.clock import CLOCK

RENEWED: Final = timedelta(minutes=1)
"""How often a snapshot is written in which only the moment has changed."""

log = structlog.get_logger()


class RouteSource(Protocol):
    """Where routes come from: the feed."""

    @property
    def installation(self) -> UUID | None: ...

    @property
    def age(self) -> float:
        """Seconds since it had certainly read everything."""


class Snapshotting:
    """Every `interval_s`, writes a snapshot if it differs from the last one.

    None is written while the routes are older than `fresh_s`: the last one says until when they were known.
    """

    def __init__(
        self,
        file: SnapshotFile,
        access: KnownAccess,
        table: RoutingTable,
        source: RouteSource,
        *,
        interval_s: float,
        fresh_s: float,
        now: Callable[[], datetime] = CLOCK.now,
    ) -> None:
        self._file = file
        self._access = access
        self._table = table
        self._source = source
        self._interval_s = interval_s
        self._fresh_s = fresh_s
        self._now = now
        self._written: RouterSnapshot | None = None

    async def run(self) -> None:
        """Runs for ever; the owner cancels it."""
        while True:
            await asyncio.sleep(self._interval_s)
            await self.write()

    async def write(self) -> None:
        """Write what is known now, unless that is on disk already. A folder that cannot be written to is logged."""
        snapshot = self._taken()
        if snapshot is None or not _is_news(snapshot, self._written):
            return
        try:
            await asyncio.to_thread(self._file.write, snapshot)
        except OSError as error:
            log.warning("routes not kept", folder=str(self._file.folder), reason=str(error))
            return
        self._written = snapshot
        metrics.snapshot_taken_at(snapshot.taken_at)

    def _taken(self) -> RouterSnapshot | None:
        """None if there is nothing fresh to keep."""
        installation, records, age_s = self._source.installation, self._access.records, self._source.age
        if installation is None or records is None or age_s > self._fresh_s:
            return None
        moment = min(self._now() - timedelta(seconds=age_s), records.read_at)
        return RouterSnapshot(installation, moment, records, self._table.ready)


def _is_news(snapshot: RouterSnapshot, written: RouterSnapshot | None) -> bool:
    if written is None or snapshot.taken_at >= written.taken_at + RENEWED:
        return True
    return _content(snapshot) != _content(written)


def _content(snapshot: RouterSnapshot) -> tuple[object, ...]:
    """All but the moments."""
    access = snapshot.access
    versions = {instance.id: instance.version for instance in snapshot.instances}
    return (
        snapshot.installation,
        *(list(rows) for rows in (access.keys, access.organizations, access.models, access.offerings)),
        versions,
    )
