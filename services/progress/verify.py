"""Compares what is derived from the facts with the facts: every snapshot in the stream, every row of the read model."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TypeVar
from uuid import UUID

from nats.aio.client import Client
from nats.aio.msg import Msg

from services.progress.archive import Archive
from services.progress.projection import Checkpoint, Projection, checkpoint
from services.progress.shadow import SESSION, Shadow, shadow_tables
from services.progress.statements import sql
from shared.bus.reader import reading, stream_state
from shared.journal.envelope import Recorded, Undecodable, decode
from shared.lifecycle.events import InstanceRequested
from shared.lifecycle.fold import begin, evolve
from shared.lifecycle.instance import Instance
from shared.lifecycle.wish import Findings
from shared.postgres.connection import Connection, connecting

TABLES: Final = ("instances", "timeline", "step_durations")
_Model = TypeVar("_Model", Instance, Findings)
HOLDING_S: Final = 10.0
"""How long the projector may have to wait while the last events are processed."""


@dataclass(frozen=True)
class Verdict:
    """`behind`: events that the read model does not have yet; `unreadable` ones are reported, but are no difference."""

    events: int
    instances: int
    behind: int
    unreadable: tuple[str, ...]
    differences: tuple[str, ...]


async def verify(
    connection: Client, database_url: str, *, archive_dir: Path | None = None, heartbeat_s: float = 1.0
) -> Verdict:
    """Changes nothing. Projecting continues, except while the tables are compared.

    Raises ArchiveUnreadable, RebuildRunning, ReadingInterrupted, and what NATS or PostgreSQL raise.
    """
    facts = Facts()
    stream = await stream_state(connection)
    archive = Archive(archive_dir, stream.installation) if archive_dir else None
    last = stream.last_sequence
    for recorded in archive.events() if archive else ():
        facts.compare(recorded)
    async for message in _up_to(connection, last, heartbeat_s):
        facts.see(message)
    behind, rows = await _rows(connection, database_url, archive, last, heartbeat_s)
    return Verdict(facts.events, facts.instances, behind, tuple(facts.unreadable), (*facts.differences, *rows))


class Facts:
    """Folds each instance from its facts and compares after every fact; reports an instance's first difference."""

    def __init__(self) -> None:
        self.events = 0
        self.unreadable: list[str] = []
        self.differences: list[str] = []
        self._folded: dict[UUID, Instance | None] = {}
        self._seen: dict[UUID, int] = {}

    @property
    def instances(self) -> int:
        return len(self._folded)

    def see(self, message: Msg) -> None:
        metadata = message.metadata
        self.events += 1
        try:
            recorded = decode(message.data, metadata.sequence.stream, metadata.timestamp)
        except Undecodable as error:
            self.unreadable.append(f"{message.subject} at {metadata.sequence.stream} cannot be read: {error}")
        else:
            self.compare(recorded)

    def compare(self, recorded: Recorded) -> None:
        """Take an instance's next event. One that was taken already, since it is in archive and stream, is left out."""
        snapshot, event = recorded.instance, recorded.event
        if recorded.sequence <= self._seen.get(snapshot.id, 0):
            return
        self._seen[snapshot.id] = recorded.sequence
        if snapshot.id not in self._folded:
            folded = begin(event) if isinstance(event, InstanceRequested) else None
        elif (before := self._folded[snapshot.id]) is None:
            return
        else:
            folded = evolve(before, event)
        where = (
            f"snapshot of {snapshot.id} at version {snapshot.version} ({event.type()}, sequence {recorded.sequence})"
        )
        if folded is None:
            archived = ", and the archive (COLDSTART_ARCHIVE_DIR) does not have it" if snapshot.version > 1 else ""
            self.differences.append(f"{where}: its history does not begin with a request{archived}")
        elif (folded := _as_far_as_kept(folded, snapshot)) != snapshot:
            self.differences.append(
                f"{where}: {_unequal(snapshot.model_dump(mode='json'), folded.model_dump(mode='json'))}"
            )
            folded = None
        self._folded[snapshot.id] = folded


def _as_far_as_kept(folded: _Model, snapshot: _Model) -> _Model:
    """Fields that did not exist when a snapshot was written are no difference, in it or in later ones made from it."""
    kept: dict[str, Any] = {}
    for name in type(snapshot).model_fields:
        ours, theirs = getattr(folded, name), getattr(snapshot, name)
        if name not in snapshot.model_fields_set:
            kept[name] = theirs
        elif isinstance(ours, Findings) and isinstance(theirs, Findings):
            kept[name] = _as_far_as_kept(ours, theirs)
    return folded.model_copy(update=kept)


async def _up_to(connection: Client, last: int, heartbeat_s: float) -> AsyncIterator[Msg]:
    if last == 0:
        return
    async with reading(connection, after=0, heartbeat_s=heartbeat_s) as events:
        while True:
            for message in await events.batch():
                if message.metadata.sequence.stream > last:
                    return
                yield message
                if message.metadata.sequence.stream == last:
                    return
            if events.caught_up:
                return


async def _rows(
    connection: Client, database_url: str, archive: Archive | None, last: int, heartbeat_s: float
) -> tuple[int, list[str]]:
    """How far the tables are behind, and every row that differs from what the events up to there give."""
    async with (
        connecting(database_url, name="coldstart verify", command_timeout_s=None, server_settings=SESSION) as database,
        shadow_tables(database),
    ):
        stream = await stream_state(connection)
        shadow = Shadow(
            connection, Projection(database, stream.installation, _passed_over, announce=False), heartbeat_s
        )
        used = await checkpoint(database) or Checkpoint(stream.installation, 0)
        if used.installation != stream.installation or used.sequence > stream.last_sequence:
            return 0, [f"the read model follows {used.installation}:{used.sequence}, which is another stream"]
        if archive:
            await shadow.take_archived(archive.events())
        await shadow.catch_up(used.sequence)
        await database.execute(sql("hold_tables"))
        async with asyncio.timeout(HOLDING_S):
            used = await checkpoint(database) or used
            await shadow.catch_up(used.sequence)
            return max(0, last - used.sequence), await _differences(database)


async def _differences(database: Connection) -> list[str]:
    return [
        f"{table} of {row['instance_id']}: {_unequal(row['used'], row['computed'])}"
        for table in TABLES
        for row in await database.fetch(sql(f"differing_{table}"))
    ]


async def _passed_over(message: Msg, reason: str) -> None:
    """Skip a message that the projector could not take either: it is a dead letter."""


def _unequal(found: Mapping[str, Any] | None, expected: Mapping[str, Any] | None) -> str:
    if found is None or expected is None:
        return "missing" if found is None else "should not be there"
    return ", ".join(
        f"{name} is {found.get(name)!r}, the facts give {value!r}"
        for name, value in expected.items()
        if found.get(name) != value
    )
