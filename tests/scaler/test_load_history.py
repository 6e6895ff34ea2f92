"""The load of the last days is kept in the database, and nobody waits for it."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final, TypeVar
from uuid import UUID, uuid4

from asyncpg import Record

from services.scaler.load_history import LoadHistory
from services.scaler.past import Past
from services.scaler.slots import Slot, SlotFigures
from shared.deployments.load import SLOT_S, Sample
from shared.postgres.connection import Connection, connecting

PATIENCE_S: Final = 120.0
DAYS: Final = 8
_Found = TypeVar("_Found")
NOW: Final = datetime.now(UTC)
SLOT: Final = NOW - timedelta(seconds=NOW.timestamp() % SLOT_S)


def a_slot(before: timedelta = timedelta(), mean: float = 2.0) -> Slot:
    return Slot(SLOT - before, SlotFigures(mean=mean, peak=2 * mean, in_flight=1.5, ready=1))


def a_sample(before: timedelta = timedelta(), mean: float = 2.0) -> Sample:
    return Sample(at=SLOT - before, mean=mean, peak=2 * mean)


@dataclass
class Used:
    """`done`: the database has been used once more."""

    url: str
    history: LoadHistory
    past: Past
    done: asyncio.Event

    async def kept(self, count: int) -> list[tuple[UUID, float, float]]:
        """What the table has, once it has so many rows."""
        async with connecting(self.url, name="test") as database:
            rows = await self._until(lambda: _rows(database), lambda found: len(found) == count)
        return [(row["deployment_id"], row["mean"], row["peak"]) for row in rows]

    async def known(self, deployment_id: UUID) -> list[Sample]:
        """Once anything is."""

        async def between() -> list[Sample]:
            return [*self.past.between(deployment_id, NOW - timedelta(days=DAYS), NOW)]

        return await self._until(between, bool)

    async def _until(self, look: Callable[[], Awaitable[_Found]], like_that: Callable[[_Found], bool]) -> _Found:
        async with asyncio.timeout(PATIENCE_S):
            while not like_that(found := await look()):
                await self.done.wait()
                self.done.clear()
        return found


async def _rows(database: Connection) -> list[Record]:
    return await database.fetch("SELECT * FROM deployment_load ORDER BY at")


@asynccontextmanager
async def using(url: str, *, refusals: int = 0) -> AsyncGenerator[Used]:
    """`refusals`: so many times it cannot be reached at first."""
    past, left, done = Past(), refusals, asyncio.Event()

    @asynccontextmanager
    async def connect() -> AsyncGenerator[Connection]:
        nonlocal left
        left -= 1
        if left >= 0:
            raise ConnectionRefusedError("away")
        async with connecting(url, name="test") as connection:
            yield connection
        done.set()

    history = LoadHistory(connect, past, DAYS)
    running = asyncio.create_task(history.run())
    try:
        yield Used(url, history, past, done)
    finally:
        running.cancel()
        with suppress(asyncio.CancelledError):
            await running


async def test_what_was_written_is_known_after_a_restart(database_url: str) -> None:
    one, other = uuid4(), uuid4()
    async with using(database_url) as used:
        used.history.write([(one, a_slot(timedelta(days=1))), (one, a_slot(mean=3.0)), (other, a_slot())])
        await used.kept(3)
    async with using(database_url) as used:
        used.history.read(one)
        assert await used.known(one) == [a_sample(timedelta(days=1)), a_sample(mean=3.0)]
        assert [*used.past.between(other, NOW - timedelta(days=1), NOW)] == []


async def test_of_a_slot_that_two_scalers_have_heard_in_part_the_larger_load_counts(database_url: str) -> None:
    one = uuid4()
    async with using(database_url) as used:
        used.history.write([(one, a_slot(mean=3.0))])
        await used.kept(1)
        used.history.write([(one, a_slot(mean=2.0)), (one, a_slot(timedelta(minutes=5)))])
        assert await used.kept(2) == [(one, 2.0, 4.0), (one, 3.0, 6.0)]


async def test_what_is_older_than_anybody_looks_back_is_deleted(database_url: str) -> None:
    one = uuid4()
    async with using(database_url) as used:
        used.history.write([(one, a_slot(timedelta(days=DAYS, minutes=6)))])
        used.history.write([(one, a_slot())])
        assert await used.kept(1) == [(one, 2.0, 4.0)]


async def test_while_the_database_is_away_nothing_is_lost(database_url: str) -> None:
    one = uuid4()
    async with using(database_url, refusals=1) as used:
        used.history.write([(one, a_slot())])
        used.history.read(one)
        await used.kept(1)
        used.history.read(one)
        assert await used.known(one) == [a_sample()]
