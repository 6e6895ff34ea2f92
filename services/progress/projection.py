"""Writes messages into tables: all changes of a batch are committed together with the checkpoint."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Final
from uuid import UUID

import asyncpg
from nats.aio.msg import Msg

from services.progress.rows import latest_instances, timeline_row
from services.progress.statements import sql
from shared.journal.envelope import Recorded, Undecodable, decode
from shared.lifecycle.status import ENDING
from shared.postgres.connection import Connection

PROJECTION: Final = "instances"
CHANNEL: Final = "projected"
"""PostgreSQL notifies here, with the stream sequence as payload, once everything up to it can be read."""
_REFUSALS: Final = (
    asyncpg.DataError,
    asyncpg.IntegrityConstraintViolationError,
    asyncpg.ProgramLimitExceededError,
)
"""PostgreSQL's errors for values that it will never accept, however often they are tried."""

PutAside = Callable[[Msg, str], Awaitable[None]]
"""Stores a message that cannot be projected, with the reason; it is skipped once this returned."""


class OfAnotherInstallation(Exception):
    """The tables now follow another stream."""


@dataclass(frozen=True)
class Checkpoint:
    """How far the tables follow the stream, and its installation."""

    installation: UUID
    sequence: int


async def checkpoint(database: Connection) -> Checkpoint | None:
    """The checkpoint of the tables in use; None before the first event."""
    row = await database.fetchrow(sql("checkpoint_in_use"), PROJECTION)
    return Checkpoint(row["installation"], row["sequence"]) if row else None


@dataclass(frozen=True)
class Projection:
    """Projects the stream of one installation into the tables on `database`'s search path.

    `announce`: notify CHANNEL of every commit.
    """

    database: Connection
    installation: UUID
    put_aside: PutAside
    announce: bool = True

    async def take(self, messages: Sequence[Msg]) -> int:
        """Commit what these messages say; returns the sequence of the last one. Safe to repeat, in any order.

        Raises OfAnotherInstallation, and whatever the database raises while it is not there.
        """
        readable = [(message, await self._read(message)) for message in messages]
        await self._store(readable)
        return messages[-1].metadata.sequence.stream

    async def _read(self, message: Msg) -> Recorded | None:
        try:
            return decode(message.data, message.metadata.sequence.stream, message.metadata.timestamp)
        except Undecodable as error:
            await self.put_aside(message, str(error))
            return None

    async def _store(self, readable: Sequence[tuple[Msg, Recorded | None]]) -> None:
        """Halve a refused batch until the one bad message is alone, and make that a dead letter."""
        sequence = readable[-1][0].metadata.sequence.stream
        try:
            await self.commit([recorded for _, recorded in readable if recorded], sequence)
        except _REFUSALS as error:
            if len(readable) > 1:
                middle = len(readable) // 2
                await self._store(readable[:middle])
                await self._store(readable[middle:])
            else:
                await self.put_aside(readable[0][0], f"{type(error).__name__}: {error}")
                await self.commit([], sequence)

    async def commit(self, events: Sequence[Recorded], sequence: int) -> None:
        """One transaction: these events' rows, and the checkpoint `sequence`."""
        async with self.database.transaction():
            await self.database.execute(sql("await_rebuild"))
            moved = await self.database.fetchval(sql("move_checkpoint"), PROJECTION, self.installation, sequence)
            if moved is None:
                raise OfAnotherInstallation
            if events:
                await self._write(events)
            if self.announce:
                await self.database.execute(sql("notify"), CHANNEL, str(moved))

    async def _write(self, events: Sequence[Recorded]) -> None:
        touched = latest_instances(events)
        await self.database.execute(sql("upsert_instances"), *_columns(touched))
        await self.database.execute(sql("insert_timeline"), *_columns([timeline_row(recorded) for recorded in events]))
        await self.database.execute(sql("update_step_durations"), [row.id for row in touched], sorted(ENDING))


def _columns(rows: Sequence[tuple[object, ...]]) -> list[list[object]]:
    return [list(column) for column in zip(*rows, strict=True)]
