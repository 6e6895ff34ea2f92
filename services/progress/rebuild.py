"""Compute all tables anew from the start of the stream, beside the ones in use, and put them in their place.

Projecting goes on meanwhile; only for the last few events and the exchange itself does it wait.
"""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Final

import structlog
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.js.errors import NotFoundError

from services.progress.projection import CHANNEL, Checkpoint, Projection, PutAside
from services.progress.statements import sql
from shared.bus.reader import BATCH, reading, stream_state
from shared.bus.topology import EVERY_EVENT, LIFECYCLE
from shared.postgres.connection import Connection, connecting

_HOLDING_S: Final = 10.0
"""How long the tables may be kept from the projector while the last events are caught up with."""
_SESSION: Final = {"search_path": "rebuilding", "synchronous_commit": "off"}

log = structlog.get_logger()


class RebuildRunning(Exception):
    """Another rebuild of the same database is under way."""


class SchemaChanged(Exception):
    """A migration was applied while the tables were rebuilt; the old ones are still in use. Rebuild again."""


async def already_put_aside(message: Msg, reason: str) -> None:
    """What a projector could not read either lies among the dead letters since."""
    log.warning("passed over in the rebuild", subject=message.subject, reason=reason)


async def rebuild(
    connection: Client, database_url: str, *, put_aside: PutAside = already_put_aside, heartbeat_s: float = 1.0
) -> Checkpoint:
    """Rebuild the read model from the stream; returns how far the new tables follow it.

    Raises RebuildRunning, SchemaChanged, ReadingInterrupted, and what NATS or PostgreSQL raise; then nothing changed.
    """
    async with (
        connecting(
            database_url, name="coldstart rebuild", command_timeout_s=None, server_settings=_SESSION
        ) as database,
        _shadow_tables(database),
    ):
        schema = await database.fetchval(sql("schema_version"))
        stream = await stream_state(connection)
        shadow = _Shadow(connection, Projection(database, stream.installation, put_aside, announce=False), heartbeat_s)
        await shadow.projection.commit([], 0)
        while (last := (await stream_state(connection)).last_sequence) > shadow.position + BATCH:
            log.info("rebuilding", after=shadow.position, to=last)
            await shadow.catch_up(last)
        await database.execute(sql("hold_tables"))
        async with asyncio.timeout(_HOLDING_S):
            await shadow.catch_up((await stream_state(connection)).last_sequence)
            await _exchange(database, schema, shadow.position)
    log.info("rebuilt", installation=str(stream.installation), at=shadow.position)
    return Checkpoint(stream.installation, shadow.position)


class _Shadow:
    """The tables that are not yet in use; `position` is how far they follow the stream."""

    def __init__(self, connection: Client, projection: Projection, heartbeat_s: float) -> None:
        self.projection = projection
        self.position = 0
        self._connection = connection
        self._heartbeat_s = heartbeat_s

    async def catch_up(self, last: int) -> None:
        """Follow the stream up to that sequence."""
        if self.position >= last:
            return
        async with reading(self._connection, after=self.position, heartbeat_s=self._heartbeat_s) as events:
            while self.position < last:
                if messages := await events.batch():
                    self.position = await self.projection.take(messages)
                elif not await self._is_left(last):
                    self.position = last  # the events that were left have been deleted from the stream
                    await self.projection.commit([], last)

    async def _is_left(self, last: int) -> bool:
        """Whether the stream's leader still has an event up to that sequence."""
        jetstream = self._connection.jetstream()
        try:
            message = await jetstream.get_msg(LIFECYCLE, seq=self.position + 1, subject=EVERY_EVENT, next=True)
        except NotFoundError:
            return False
        return (message.seq or 0) <= last


@asynccontextmanager
async def _shadow_tables(database: Connection) -> AsyncGenerator[None]:
    """Empty tables in a schema of their own, gone again in the end; only one rebuild has them at a time."""
    if not await database.fetchval(sql("try_to_rebuild")):
        raise RebuildRunning
    await database.execute(sql("drop_shadow_tables"))
    await database.execute(sql("create_shadow_tables"))
    try:
        yield
    finally:
        if not database.is_closed():
            await database.execute(sql("drop_shadow_tables"))


async def _exchange(database: Connection, schema: int, position: int) -> None:
    async with database.transaction():
        await database.execute(sql("lock_tables_in_use"))
        if await database.fetchval(sql("schema_version")) != schema:
            raise SchemaChanged
        await database.execute(sql("exchange_tables"))
        await database.execute(sql("notify"), CHANNEL, str(position))
