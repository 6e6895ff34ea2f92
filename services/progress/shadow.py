"""A second read model, computed from the stream into separate tables beside those in use."""

from collections.abc import AsyncGenerator, Iterable
from contextlib import asynccontextmanager
from itertools import islice
from typing import Final

from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.js.errors import NotFoundError

from services.progress.pipeline import pipelined
from services.progress.projection import AT_ONCE, Projection
from services.progress.statements import sql
from shared.bus.reader import StreamReader, reading
from shared.journal.recorded import AnyRecorded
from shared.journal.streams import EVERY_EVENT, LIFECYCLE
from shared.postgres.connection import Connection

SESSION: Final = {"search_path": "rebuilding", "synchronous_commit": "off", "work_mem": "64MB"}
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

    async def take_archived(self, events: Iterable[AnyRecorded]) -> None:
        """Add what was moved out of the stream. Events that are in both are added once."""
        remaining = iter(events)
        while batch := list(islice(remaining, AT_ONCE)):
            await self.projection.commit(batch, 0)

    async def catch_up(self, last: int) -> None:
        """Follow the stream up to this sequence, and no further."""
        if self.position >= last:
            return
        async with (
            reading(self._connection, after=self.position, heartbeat_s=self._heartbeat_s, at_once=AT_ONCE) as events,
            pipelined(self.projection) as pipeline,
        ):
            taken = self.position
            while taken < last:
                if messages := await _gathered(events):
                    wanted = [message for message in messages if message.metadata.sequence.stream <= last]
                    if wanted:
                        await pipeline.take(wanted)
                        taken = wanted[-1].metadata.sequence.stream
                        continue
                if not await self._is_left(taken, last):
                    taken = last  # the remaining events have been deleted from the stream
                    await pipeline.stored()
                    await self.projection.commit([], last)
            await pipeline.stored()
        self.position = taken

    async def _is_left(self, after: int, last: int) -> bool:
        """Whether the stream's leader still has an event between these sequences, the last one included."""
        jetstream = self._connection.jetstream()
        try:
            message = await jetstream.get_msg(LIFECYCLE, seq=after + 1, subject=EVERY_EVENT, next=True)
        except NotFoundError:
            return False
        return (message.seq or 0) <= last


async def _gathered(events: StreamReader) -> list[Msg]:
    """The next events, as many as are to be stored at once where the stream has them."""
    gathered = await events.batch()
    while gathered and len(gathered) < AT_ONCE and not events.caught_up:
        gathered += await events.batch()
    return gathered


@asynccontextmanager
async def shadow_tables(database: Connection, *, to_compare: bool = False) -> AsyncGenerator[None]:
    """Empty tables in a separate schema, dropped at the end. Only one rebuild at a time can have them.

    `to_compare`: they are never put to use, so they need no indexes for queries, and need not survive a crash.
    """
    if not await database.fetchval(sql("try_to_rebuild")):
        raise RebuildRunning
    await database.execute(sql("drop_shadow_tables"))
    await database.execute(sql("create_comparison_tables" if to_compare else "create_shadow_tables"))
    try:
        yield
    finally:
        if not database.is_closed():
            await database.execute(sql("drop_shadow_tables"))
