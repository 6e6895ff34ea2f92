"""A second read model, computed from the stream into separate tables beside those in use."""

from collections.abc import AsyncGenerator, Iterable
from contextlib import asynccontextmanager
from itertools import islice
from typing import Final

from nats.aio.client import Client
from nats.js.errors import NotFoundError

from services.progress.projection import Projection
from services.progress.statements import sql
from shared.bus.reader import BATCH, reading
from shared.journal.envelope import Recorded
from shared.journal.streams import EVERY_EVENT, LIFECYCLE
from shared.postgres.connection import Connection

SESSION: Final = {"search_path": "rebuilding", "synchronous_commit": "off"}
"""Server settings of a connection that works on these tables."""


class RebuildRunning(Exception):
    """Another rebuild or verification of the same database is running."""


class Shadow:
    """The tables that are not in use yet; `position` is how far they follow the stream."""

    def __init__(self, connection: Client, projection: Projection, heartbeat_s: float) -> None:
        self.projection = projection
        self.position = 0
        self._connection = connection
        self._heartbeat_s = heartbeat_s

    async def take_archived(self, events: Iterable[Recorded]) -> None:
        """Add what was moved out of the stream. Events that are in both are added once."""
        remaining = iter(events)
        while batch := list(islice(remaining, BATCH)):
            await self.projection.commit(batch, 0)

    async def catch_up(self, last: int) -> None:
        """Follow the stream up to this sequence, and no further."""
        if self.position >= last:
            return
        async with reading(self._connection, after=self.position, heartbeat_s=self._heartbeat_s) as events:
            while self.position < last:
                if messages := await events.batch():
                    wanted = [message for message in messages if message.metadata.sequence.stream <= last]
                    if wanted:
                        self.position = await self.projection.take(wanted)
                        continue
                if not await self._is_left(last):
                    self.position = last  # the remaining events have been deleted from the stream
                    await self.projection.commit([], last)

    async def _is_left(self, last: int) -> bool:
        """Whether the stream's leader still has an event up to this sequence."""
        jetstream = self._connection.jetstream()
        try:
            message = await jetstream.get_msg(LIFECYCLE, seq=self.position + 1, subject=EVERY_EVENT, next=True)
        except NotFoundError:
            return False
        return (message.seq or 0) <= last


@asynccontextmanager
async def shadow_tables(database: Connection) -> AsyncGenerator[None]:
    """Empty tables in a separate schema, dropped at the end. Only one rebuild at a time can have them."""
    if not await database.fetchval(sql("try_to_rebuild")):
        raise RebuildRunning
    await database.execute(sql("drop_shadow_tables"))
    await database.execute(sql("create_shadow_tables"))
    try:
        yield
    finally:
        if not database.is_closed():
            await database.execute(sql("drop_shadow_tables"))
