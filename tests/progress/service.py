"""The progress service, really running, and a journal that gives it something to do."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from uuid import UUID, uuid4

from nats.aio.client import Client
from pydantic import SecretStr

from services.progress.settings import ProgressSettings
from shared.bus.connection import connect
from shared.bus.topology import apply_topology
from shared.journal.journal import Journal
from shared.journal.streams import LIFECYCLE, append_subject
from shared.lifecycle.events import Event, InstanceRequested
from shared.lifecycle.instance import Instance
from shared.postgres.connection import Connection
from tests.lifecycle.facts import Facts
from tests.progress.read_model import Watcher


def settings_for(nats_url: str, database_url: str) -> ProgressSettings:
    return ProgressSettings(
        nats_url=SecretStr(nats_url),
        database_url=SecretStr(database_url),
        standby_seconds=0.05,
        stream_heartbeat_seconds=0.2,
        longest_pause_seconds=0.2,
    )


def patient(settings: ProgressSettings) -> ProgressSettings:
    """For what is done once, and ends when a busy machine is silent for a second."""
    return settings.model_copy(update={"stream_heartbeat_seconds": 5.0})


class Author:
    """Records histories; each under an instance id of its own."""

    def __init__(self, connection: Client) -> None:
        self.connection = connection
        self._journal = Journal(connection, actor="test", source="/coldstart/test")

    async def write(self, history: Facts) -> int:
        """Record it as the journal does; returns the stream's last sequence."""
        instance_id = uuid4()
        for fact in history:
            await self.record(fact.model_copy(update={"instance_id": instance_id}))
        return await self.last_sequence()

    async def write_many(self, *histories: Facts) -> int:
        await asyncio.gather(*(self.write(history) for history in histories))
        return await self.last_sequence()

    async def record(self, fact: Event) -> Instance:
        if isinstance(fact, InstanceRequested):
            return (await self._journal.request(fact, intent_id=uuid4()))[0]
        return await self._journal.record(fact)

    async def publish(self, subject: str, body: bytes) -> int:
        """Anything at all, as whoever may publish could."""
        return (await self.connection.jetstream().publish(subject, body)).seq

    async def last_sequence(self) -> int:
        return (await self.connection.jetstream().stream_info(LIFECYCLE)).state.last_seq

    async def projectors(self) -> list[str]:
        """The names of the consumers that projectors read from: the only ones that are not durable."""
        consumers = await self.connection.jetstream().consumers_info(LIFECYCLE)
        return [info.name for info in consumers if not info.config.durable_name]


@asynccontextmanager
async def writing(nats_url: str) -> AsyncGenerator[Author]:
    connection = await connect(nats_url, "author")
    await apply_topology(connection.jetstream(), replicas=1, ack_wait_s=30)
    try:
        yield Author(connection)
    finally:
        await connection.close()


@dataclass(frozen=True)
class Stage:
    """A stream, its author, and the read model with nobody yet to keep it."""

    author: Author
    settings: ProgressSettings
    watcher: Watcher
    database: Connection

    async def all_is_there(self) -> None:
        """Every event of the stream is in the timeline once, and each instance is as its last one left it."""
        info = await self.author.connection.jetstream().stream_info(LIFECYCLE, subjects_filter=">")
        assert await self.database.fetchval("SELECT count(*) FROM timeline") == info.state.messages
        sequences = await self.database.fetch("SELECT sequence FROM timeline ORDER BY sequence")
        assert [row["sequence"] for row in sequences] == list(range(1, info.state.last_seq + 1))
        journal = Journal(self.author.connection, actor="test", source="/coldstart/test")
        for row in await self.database.fetch("SELECT id, snapshot FROM instances"):
            assert row["snapshot"] == (await journal.load(row["id"])).model_dump(mode="json")


def malformed(instance_id: UUID) -> tuple[str, bytes]:
    """Subject and body of a message that is no event."""
    return append_subject(instance_id, "InstanceReady"), b"{}"
