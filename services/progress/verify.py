"""Compares what is derived from the facts with the facts: every snapshot in the stream, every row of the read model."""

import asyncio
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TypeVar, assert_never
from uuid import UUID

from nats.aio.client import Client
from nats.aio.msg import Msg

from services.progress.archive import Archive
from services.progress.projection import Checkpoint, Projection, checkpoint, read
from services.progress.shadow import SESSION, Shadow, shadow_tables
from services.progress.statements import sql
from shared.bus.marks import goes_on
from shared.bus.reader import reading, stream_state
from shared.deployments import fold as deployment_fold
from shared.deployments.deployment import Deployment
from shared.deployments.events import DeploymentCreated
from shared.journal.envelope import Undecodable
from shared.journal.recorded import AnyRecorded, Recorded, RecordedDeployment, UnknownDeploymentEvent, UnknownEvent
from shared.lifecycle import fold
from shared.lifecycle.events import InstanceRequested
from shared.lifecycle.instance import Instance
from shared.lifecycle.wish import Findings
from shared.postgres.connection import Connection, connecting

TABLES: Final = ("instances", "timeline", "step_durations", "deployments", "deployment_timeline")
_Model = TypeVar("_Model", Instance, Deployment, Findings)
_FIRST: Final = {Instance: "a request", Deployment: "a creation"}
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
    stream = await stream_state(connection)
    archive = Archive(archive_dir, stream.installation) if archive_dir else None
    facts = Facts(stream.last_sequence)
    behind, rows = await _rows(connection, database_url, archive, facts, heartbeat_s)
    await _rest(connection, facts, heartbeat_s)
    return Verdict(facts.events, facts.instances, behind, tuple(facts.unreadable), (*facts.differences, *rows))


class Facts:
    """Folds each instance and deployment from its facts and compares after every fact; reports its first difference.

    It leaves out what is in the stream after the sequence `last`; `position` is how far it has got.
    """

    def __init__(self, last: int) -> None:
        self.last = last
        self.position = 0
        self.events = 0
        self.unreadable: list[str] = []
        self.differences: list[str] = []
        self.instances = 0
        self._folded: dict[UUID, Instance | Deployment | None] = {}
        self._seen: dict[UUID, int] = {}

    def see(self, message: Msg, found: AnyRecorded | Undecodable) -> None:
        """Take the stream's next message, with what it says."""
        sequence = message.metadata.sequence.stream
        if sequence > self.last:
            return
        self.position = sequence
        self.events += 1
        if isinstance(found, Undecodable):
            self.unreadable.append(f"{message.subject} at {sequence} cannot be read: {found}")
        else:
            self.compare(found)

    def compared(self, events: Iterable[AnyRecorded]) -> Iterator[AnyRecorded]:
        """The same events, each taken before it is passed on."""
        for recorded in events:
            self.compare(recorded)
            yield recorded

    def compare(self, recorded: AnyRecorded) -> None:
        """Take the next event. One that was taken already, since it is in archive and stream, is left out."""
        snapshot = recorded.after
        if recorded.sequence <= self._seen.get(snapshot.id, 0):
            return
        self._seen[snapshot.id] = recorded.sequence
        if snapshot.id not in self._folded:
            self.instances += isinstance(snapshot, Instance)
        elif self._folded[snapshot.id] is None and not isinstance(recorded, UnknownEvent | UnknownDeploymentEvent):
            return
        folded = _folded(self._folded.get(snapshot.id), recorded)
        self._folded[snapshot.id] = folded if folded == snapshot else self._close_to(folded, recorded)

    def _close_to(self, folded: Instance | Deployment | None, recorded: AnyRecorded) -> Instance | Deployment | None:
        """The fold without what the snapshot could not have; None if they differ, which is reported."""
        snapshot = recorded.after
        where = f"snapshot of {snapshot.id} at version {snapshot.version}"
        where = f"{where} ({recorded.type}, sequence {recorded.sequence})"
        if folded is None:
            archived = ", and the archive (COLDSTART_ARCHIVE_DIR) does not have it" if snapshot.version > 1 else ""
            self.differences.append(f"{where}: its history does not begin with {_FIRST[type(snapshot)]}{archived}")
            return None
        if (kept := _kept(folded, snapshot)) == snapshot:
            return kept
        self.differences.append(f"{where}: {_unequal(snapshot.model_dump(mode='json'), kept.model_dump(mode='json'))}")
        return None


def _folded(before: Instance | Deployment | None, recorded: AnyRecorded) -> Instance | Deployment | None:
    """What the fact makes of what was there before; None if no history begins with it."""
    match recorded:
        case UnknownEvent() | UnknownDeploymentEvent():
            return recorded.after  # what a newer version's fact changes, only that version knows
        case Recorded(event=event):
            if isinstance(before, Instance):
                return fold.evolve(before, event)
            return fold.begin(event) if isinstance(event, InstanceRequested) else None
        case RecordedDeployment(event=fact):
            if isinstance(before, Deployment):
                return deployment_fold.evolve(before, fact)
            return deployment_fold.begin(fact) if isinstance(fact, DeploymentCreated) else None
        case _:
            assert_never(recorded)


def _kept(folded: Instance | Deployment, snapshot: Instance | Deployment) -> Instance | Deployment:
    if isinstance(folded, Instance) and isinstance(snapshot, Instance):
        return _as_far_as_kept(folded, snapshot)
    if isinstance(folded, Deployment) and isinstance(snapshot, Deployment):
        return _as_far_as_kept(folded, snapshot)
    return folded


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


async def _rest(connection: Client, facts: Facts, heartbeat_s: float) -> None:
    """The events that the read model does not have yet."""
    if facts.position >= facts.last:
        return
    async with reading(connection, after=facts.position, heartbeat_s=heartbeat_s) as events:
        while facts.position < facts.last:
            for message in await events.batch():
                facts.see(message, read(message))
            if events.caught_up:
                return


async def _rows(
    connection: Client, database_url: str, archive: Archive | None, facts: Facts, heartbeat_s: float
) -> tuple[int, list[str]]:
    """How far the tables are behind, and every row that differs from what the events up to there give.

    The facts take these events, too.
    """
    async with (
        connecting(database_url, name="coldstart verify", command_timeout_s=None, server_settings=SESSION) as database,
        shadow_tables(database, to_compare=True),
    ):
        stream = await stream_state(connection)
        projection = Projection(
            database, stream.installation, _passed_over, announce=False, audits=False, seen=facts.see
        )
        shadow = Shadow(connection, projection, heartbeat_s)
        await shadow.take_archived(facts.compared(archive.events() if archive else ()))
        used = await checkpoint(database) or Checkpoint(stream.installation, 0)
        same = used.installation == stream.installation
        if not same or not await goes_on(connection, stream, used.sequence, used.mark):
            return 0, [f"the read model follows {used.installation}:{used.sequence}, which is another stream"]
        await shadow.catch_up(used.sequence)
        await database.execute(sql("hold_tables"))
        async with asyncio.timeout(HOLDING_S):
            used = await checkpoint(database) or used
            await shadow.catch_up(used.sequence)
            return max(0, facts.last - used.sequence), await _differences(database)


async def _differences(database: Connection) -> list[str]:
    return [
        f"{table} of {row['its_id']}: {_unequal(row['used'], row['computed'])}"
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
