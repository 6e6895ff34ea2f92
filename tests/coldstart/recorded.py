"""A data folder whose journal holds what a test says, with no stack running."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from uuid import uuid4

from coldstart.embedded.nats import EmbeddedNats
from shared.bus.connection import connect
from shared.bus.topology import apply_topology
from shared.journal.journal import Journal
from shared.lifecycle.events import InstanceRequested
from tests.lifecycle.facts import Facts


@asynccontextmanager
async def a_journal(data_dir: Path, *histories: Facts) -> AsyncGenerator[str]:
    """Each history is another instance's."""
    async with EmbeddedNats(data_dir) as nats:
        connection = await connect(nats.url, "test")
        await apply_topology(connection.jetstream(), replicas=1, ack_wait_s=30)
        journal = Journal(connection, actor="test", source="/test")
        for history in histories:
            instance_id = uuid4()
            for fact in history:
                mine = fact.model_copy(update={"instance_id": instance_id})
                if isinstance(mine, InstanceRequested):
                    await journal.request(mine, intent_id=uuid4())
                else:
                    await journal.record(mine)
        await connection.close()
        yield nats.url
