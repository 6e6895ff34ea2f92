"""Moves the histories of instances and deployments that ended long ago out of the stream, into the archive.

The last event of each stays in the stream: the journal knows that the instance has ended, and its id is never used
again; a deployment of the same name goes on counting. Histories are on disk in the archive before they are purged, so a
kill at any moment loses nothing. The next compaction archives them once more, and readers of the archive drop what they
have read already.
"""

from collections.abc import AsyncGenerator, Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Final, NamedTuple
from uuid import UUID

from nats.aio.client import Client
from nats.js.api import StreamInfo

from services.progress.archive import Archive, ArchivedEvent
from services.progress.statements import sql
from shared.bus.reader import reading
from shared.deployments.deployment import DeploymentStatus
from shared.deployments.events import DeploymentCreated, DeploymentFact
from shared.journal.envelope import Undecodable
from shared.journal.streams import LIFECYCLE, events_of
from shared.lifecycle.events import InstanceRequested
from shared.lifecycle.fact import Fact
from shared.postgres.connection import connecting
from shared.running import StartRefused

AT_ONCE: Final = 50
"""Histories that are archived together: a file of the archive is written once for all of them."""
_ANSWER_TIMEOUT_S: Final = 30.0


class PurgesDenied(StartRefused):
    def __init__(self) -> None:
        super().__init__(
            f"the stream {LIFECYCLE} was made by an earlier version, whose streams deny purges for ever: back up, and "
            "restore the backup (docs/upgrading.md)"
        )


class CompactionRunning(StartRefused):
    def __init__(self) -> None:
        super().__init__("another compaction of this installation is running")


@dataclass(frozen=True)
class Compacted:
    """Numbers; `skipped` have ended, but an event of them cannot be read. Bytes are of the whole stream."""

    histories: int
    events: int
    skipped: int
    bytes_before: int
    bytes_after: int


class _Finished(NamedTuple):
    """A row of finished_instances.sql or finished_deployments.sql: which it is, and its last event."""

    id: UUID
    version: int
    sequence: int


@dataclass(frozen=True)
class _History:
    """`events`: all but the last one."""

    of: UUID
    last_sequence: int
    events: tuple[ArchivedEvent, ...]


def _ignore(_: str) -> None:
    pass


async def compact(
    connection: Client,
    database_url: str,
    archive: Archive,
    *,
    before: datetime,
    now: datetime,
    heartbeat_s: float = 1.0,
    done: Callable[[str], None] = _ignore,
) -> Compacted:
    """Compact the instances that hold nothing any more, and the deleted deployments, whose last event was `before`.

    `done` is called after every step that is on disk, with its name. Raises PurgesDenied, CompactionRunning,
    ReadingInterrupted, OSError, and what NATS or PostgreSQL raise.
    """
    info = await _state(connection)
    requested, created = [await _with_a(first, connection) for first in (InstanceRequested, DeploymentCreated)]
    if info.config.deny_purge:
        raise PurgesDenied
    async with connecting(database_url, name="coldstart compaction", command_timeout_s=None) as database:
        if not await database.fetchval(sql("try_to_compact")):
            raise CompactionRunning
        finished = [
            *await database.fetch(sql("finished_instances"), requested, before),
            *await database.fetch(sql("finished_deployments"), created, before, DeploymentStatus.DELETED),
        ]
        moved = events = 0
        for first in range(0, len(finished), AT_ONCE):
            histories = [
                history
                for row in finished[first : first + AT_ONCE]
                if (history := await _history(connection, _Finished(*row.values()), heartbeat_s))
            ]
            archive.add([event for history in histories for event in history.events], now)
            done("archived")
            for history in histories:
                await _purge(connection, history)
                done("purged")
                moved, events = moved + 1, events + len(history.events)
    after = await _state(connection)
    return Compacted(moved, events, len(finished) - moved, info.state.bytes, after.state.bytes)


async def _state(connection: Client) -> StreamInfo:
    return await connection.jetstream(timeout=_ANSWER_TIMEOUT_S).stream_info(LIFECYCLE)


async def _with_a(first: type[Fact] | type[DeploymentFact], connection: Client) -> list[UUID]:
    """Ids of which the stream has such an event, as far as the server lists them at once."""
    jetstream = connection.jetstream(timeout=_ANSWER_TIMEOUT_S)
    info = await jetstream.stream_info(LIFECYCLE, subjects_filter=f"lifecycle.*.{first.__name__}")
    return [UUID(subject.split(".")[1]) for subject in info.state.subjects or {}]


async def _history(connection: Client, finished: _Finished, heartbeat_s: float) -> _History | None:
    """None if an event of it cannot be read, or another one came meanwhile."""
    events = list[ArchivedEvent]()
    async for event in _events(connection, finished.id, heartbeat_s):
        try:
            recorded = event.decoded()
        except Undecodable:
            return None
        events.append(event)
        if recorded.after.version != len(events):
            return None
    if len(events) != finished.version or events[-1].sequence != finished.sequence:
        return None
    return _History(finished.id, finished.sequence, tuple(events[:-1]))


async def _events(connection: Client, of: UUID, heartbeat_s: float) -> AsyncGenerator[ArchivedEvent]:
    """Read as the projector does, to the last digit of their times."""
    async with reading(connection, after=0, heartbeat_s=heartbeat_s, subject=events_of(of)) as arriving:
        while not arriving.caught_up:
            for message in await arriving.batch():
                metadata = message.metadata
                yield ArchivedEvent(metadata.sequence.stream, metadata.timestamp, message.data)


async def _purge(connection: Client, history: _History) -> None:
    jetstream = connection.jetstream(timeout=_ANSWER_TIMEOUT_S)
    subject = events_of(history.of)
    await jetstream.purge_stream(LIFECYCLE, seq=history.last_sequence, subject=subject)
