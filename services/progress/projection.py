"""Writes messages into tables: all changes of a batch are committed together with the checkpoint."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Self
from uuid import UUID

import asyncpg
from nats.aio.msg import Msg

from services.progress.rows import Rows
from services.progress.statements import sql
from shared.bus.marks import Mark, mark_of
from shared.journal.envelope import Undecodable, WrittenByNewer, decode_any
from shared.journal.recorded import AnyRecorded
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

AT_ONCE: Final = 3_000
"""The most events in a transaction, where there are as many: an instance is written once for all its events there."""
_SLICE: Final = 50
"""After decoding so many events, let other tasks run: one stores the batch before."""

StepEnded = Callable[[str, datetime, datetime], None]
"""Learns of a step that has ended: its name, when it began and when it ended. It may be told of one again."""
PutAside = Callable[[Msg, str], Awaitable[None]]
"""Stores a message that cannot be projected, with the reason; it is skipped once this returned."""


def read(message: Msg) -> AnyRecorded | Undecodable:
    """What a message of the stream says."""
    try:
        return decode_any(message.data, message.metadata.sequence.stream, message.metadata.timestamp)
    except Undecodable as error:
        return error


def _ignore(*_: object) -> None:
    pass


class OfAnotherInstallation(Exception):
    """The tables now follow another stream."""


@dataclass(frozen=True)
class Batch:
    """Messages, and the rows of those that can be read. `before`: the message behind them needs a newer version."""

    messages: Sequence[Msg]
    rows: Rows
    before: WrittenByNewer | None = None

    @classmethod
    def of(cls, messages: Sequence[Msg]) -> Self:
        found = map(read, messages)
        return cls(messages, Rows(event for event in found if not isinstance(event, Undecodable)))


@dataclass(frozen=True)
class Checkpoint:
    """How far the tables follow the stream, its installation, and the mark of an event up to there."""

    installation: UUID
    sequence: int
    mark: Mark | None = None


async def checkpoint(database: Connection) -> Checkpoint | None:
    """The checkpoint of the tables in use; None before the first event."""
    row = await database.fetchrow(sql("checkpoint_in_use"), PROJECTION)
    if row is None:
        return None
    mark = Mark(row["mark_sequence"], row["mark_stored_ns"]) if row["mark_sequence"] else None
    return Checkpoint(row["installation"], row["sequence"], mark)


@dataclass(frozen=True)
class Projection:
    """Projects the stream of one installation into the tables on `database`'s search path.

    `announce`: notify CHANNEL of every commit. `audits`: add to the audit log, too.
    `seen` is called with every message and what it says, in their order;
    `step_ended` of every step whose end is committed.
    """

    database: Connection
    installation: UUID
    put_aside: PutAside
    announce: bool = True
    audits: bool = True
    seen: Callable[[Msg, AnyRecorded | Undecodable], None] = _ignore
    step_ended: StepEnded = _ignore

    async def read(self, messages: Sequence[Msg]) -> Batch:
        """What is to be stored of these messages; some time passes in between for others."""
        rows = Rows()
        for number, message in enumerate(messages, start=1):
            found = read(message)
            self.seen(message, found)
            if isinstance(found, WrittenByNewer):
                return Batch(messages[: number - 1], rows, before=found)
            if isinstance(found, Undecodable):
                await self.put_aside(message, str(found))
            else:
                rows.add(found)
            if number % _SLICE == 0:
                await asyncio.sleep(0)
        return Batch(messages, rows)

    async def store(self, batch: Batch) -> None:
        """Commit it; it has messages. Safe to repeat, in any order.

        Raises OfAnotherInstallation, and whatever the database raises while it is not there.
        """
        messages, mark = batch.messages, mark_of(batch.messages[-1])
        try:
            await self._commit(batch.rows, mark.sequence, mark)
        except _REFUSALS as error:  # halve the batch until the one bad message is alone, and make that a dead letter
            if len(messages) > 1:
                middle = len(messages) // 2
                await self.store(Batch.of(messages[:middle]))
                await self.store(Batch.of(messages[middle:]))
            else:
                await self.put_aside(messages[0], f"{type(error).__name__}: {error}")
                await self._commit(Rows(), mark.sequence, mark)

    async def commit(self, events: Iterable[AnyRecorded], sequence: int, mark: Mark | None = None) -> None:
        """One transaction: these events' rows, the checkpoint `sequence`, and the mark of the last event up to it."""
        await self._commit(Rows(events), sequence, mark)

    async def _commit(self, rows: Rows, sequence: int, mark: Mark | None) -> None:
        ended: Sequence[asyncpg.Record] = ()
        async with self.database.transaction():
            await self.database.execute(sql("await_rebuild"))
            marked = (mark.sequence, mark.stored_ns) if mark else (None, None)
            moved = await self.database.fetchval(
                sql("move_checkpoint"), PROJECTION, self.installation, sequence, *marked
            )
            if moved is None:
                raise OfAnotherInstallation
            if rows.timeline:
                ended = await self._write(rows)
            if rows.deployment_timeline:
                await self._write_deployments(rows)
            if self.audits and rows.audit:
                await self.database.execute(sql("insert_audit_log"), *_columns([*rows.audit.values()]))
            if self.announce:
                await self.database.execute(sql("notify"), CHANNEL, str(moved))
        for row in ended:
            if row["ended_at"] is not None:
                self.step_ended(row["step"], row["began_at"], row["ended_at"])

    async def _write(self, rows: Rows) -> Sequence[asyncpg.Record]:
        """The steps that have changed."""
        timeline = _columns(rows.timeline)
        await self.database.execute(sql("upsert_instances"), *_columns(rows.instances()))
        await self.database.execute(sql("insert_timeline"), *timeline)
        return await self.database.fetch(sql("update_step_durations"), *timeline[:2], sorted(ENDING))

    async def _write_deployments(self, rows: Rows) -> None:
        await self.database.execute(sql("upsert_deployments"), *_columns(rows.deployments()))
        await self.database.execute(sql("insert_deployment_timeline"), *_columns(rows.deployment_timeline))


def _columns(rows: Sequence[tuple[object, ...]]) -> list[list[object]]:
    return [list(column) for column in zip(*rows, strict=True)]
