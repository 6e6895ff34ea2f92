"""The table of load, which the scaler owns. Nobody waits for it: without the database, less is known of the past."""

import asyncio
from collections import deque
from collections.abc import Callable, Iterable
from contextlib import AbstractAsyncContextManager
from dataclasses import astuple
from datetime import timedelta
from typing import Final, NoReturn
from uuid import UUID

import asyncpg
import structlog

from services.scaler.past import Past
from services.scaler.slots import Slot
from shared.clock import CLOCK
from shared.deployments.load import Sample
from shared.postgres.connection import DATABASE_ERRORS, Connection
from shared.postgres.statements import statement
from shared.retry import backoff_s

_FIRST_PAUSE_S: Final = 1.0
_LONGEST_PAUSE_S: Final = 60.0
_MOST_UNWRITTEN: Final = 100_000
_AT_ONCE: Final = 50
"""Deployments whose past is read by one query: each may have some thousand slots."""

Connect = Callable[[], AbstractAsyncContextManager[Connection]]

log = structlog.get_logger()


class LoadHistory:
    """Reads the past of each deployment that is held, and writes its slots."""

    def __init__(self, connect: Connect, past: Past, days: int) -> None:
        self._connect = connect
        self._past = past
        self._kept = timedelta(days=days)
        self._unread: set[UUID] = set()
        self._unwritten: deque[tuple[UUID, Slot]] = deque(maxlen=_MOST_UNWRITTEN)
        self._more = asyncio.Event()

    def read(self, deployment_id: UUID) -> None:
        """Its past will be known in a while."""
        self._unread.add(deployment_id)
        self._more.set()

    def forget(self, deployment_id: UUID) -> None:
        self._unread.discard(deployment_id)
        self._past.forget(deployment_id)

    def write(self, slots: Iterable[tuple[UUID, Slot]]) -> None:
        self._unwritten.extend(slots)
        self._more.set()

    async def run(self) -> NoReturn:
        """The owner cancels it."""
        failures = 0
        while True:
            await self._more.wait()
            self._more.clear()
            try:
                async with self._connect() as database:
                    await self._read(database)
                    await self._write(database)
                failures = 0
            except (*DATABASE_ERRORS, ValueError) as error:
                failures += 1
                pause_s = backoff_s(failures, _FIRST_PAUSE_S, _LONGEST_PAUSE_S)
                log.warning("load history not used", reason=repr(error), retry_in_s=round(pause_s, 1))
                await asyncio.sleep(pause_s)
                self._more.set()

    async def _read(self, database: Connection) -> None:
        while self._unread:
            asked = [self._unread.pop() for _ in range(min(_AT_ONCE, len(self._unread)))]
            try:
                rows = await database.fetch(_sql("slots"), asked, CLOCK.now() - self._kept)
            except BaseException:
                self._unread.update(asked)
                raise
            self._learn(rows)

    def _learn(self, rows: Iterable[asyncpg.Record]) -> None:
        for row in rows:
            self._past.put(row["deployment_id"], [Sample(at=row["at"], mean=row["mean"], peak=row["peak"])])

    async def _write(self, database: Connection) -> None:
        if not self._unwritten:
            return
        slots = list(self._unwritten)
        columns = zip(*((of, slot.at, *astuple(slot.figures)) for of, slot in slots), strict=True)
        async with database.transaction():
            await database.execute(_sql("write_slots"), *map(list, columns))
            await database.execute(_sql("delete_old_slots"), CLOCK.now() - self._kept)
        for _ in slots:
            self._unwritten.popleft()


def _sql(name: str) -> str:
    return statement("services.scaler", name)
