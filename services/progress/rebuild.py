"""Computes all tables again from the archive and the stream, beside the ones in use, and then replaces those.

Projecting continues meanwhile; it waits only for the last few events and the exchange itself.
"""

import asyncio
from pathlib import Path
from typing import Final

import structlog
from nats.aio.client import Client
from nats.aio.msg import Msg

from services.progress.archive import Archive, ArchiveUnreadable
from services.progress.projection import CHANNEL, Checkpoint, Projection, PutAside
from services.progress.shadow import SESSION, Shadow, shadow_tables
from services.progress.statements import sql
from shared.bus.reader import BATCH, stream_state
from shared.postgres.connection import Connection, connecting
from shared.running import StartRefused

_HOLDING_S: Final = 10.0
"""How long the projector may be locked out while the last events are processed."""

log = structlog.get_logger()


class SchemaChanged(Exception):
    """A migration was applied during the rebuild; the old tables are still in use. Rebuild again."""


class HistoryMissing(StartRefused):
    """The stream has no longer the whole history of some, and the archive that has it is not here."""

    def __init__(self, number: int) -> None:
        super().__init__(
            f"the timelines of {number} instances and deployments would be lost: their events are in an archive that "
            "is not in COLDSTART_ARCHIVE_DIR"
        )


async def already_put_aside(message: Msg, reason: str) -> None:
    """Skip a message that the projector could not read either: it is a dead letter already."""
    log.warning("message skipped in rebuild", subject=message.subject, reason=reason)


async def rebuild(
    connection: Client,
    database_url: str,
    *,
    archive_dir: Path | None = None,
    keep_timelines: bool = True,
    put_aside: PutAside = already_put_aside,
    heartbeat_s: float = 1.0,
) -> Checkpoint:
    """Rebuild the read model from the archive and the stream; returns the new tables' checkpoint.

    `keep_timelines`: refuse if a timeline would lose its beginning. Raises HistoryMissing, ArchiveUnreadable,
    RebuildRunning, SchemaChanged, ReadingInterrupted, and what NATS or PostgreSQL raise; nothing changed then.
    """
    async with (
        connecting(database_url, name="coldstart rebuild", command_timeout_s=None, server_settings=SESSION) as database,
        shadow_tables(database),
    ):
        schema = await database.fetchval(sql("schema_version"))
        stream = await stream_state(connection)
        shadow = Shadow(connection, Projection(database, stream.installation, put_aside, announce=False), heartbeat_s)
        await shadow.projection.commit([], 0)
        if archive_dir is not None:
            await _take_archived(shadow, Archive(archive_dir, stream.installation), all_of_it=keep_timelines)
        while (last := (await stream_state(connection)).last_sequence) > shadow.position + BATCH:
            log.info("rebuilding", after=shadow.position, to=last)
            await shadow.catch_up(last)
        await database.execute(sql("hold_tables"))
        async with asyncio.timeout(_HOLDING_S):
            await shadow.catch_up((await stream_state(connection)).last_sequence)
            if keep_timelines and (shortened := await database.fetchval(sql("shortened_histories"))):
                raise HistoryMissing(shortened)
            await _exchange(database, schema, shadow.position)
    log.info("rebuilt", installation=str(stream.installation), at=shadow.position)
    return Checkpoint(stream.installation, shadow.position)


async def _take_archived(shadow: Shadow, archive: Archive, *, all_of_it: bool) -> None:
    """Raises ArchiveUnreadable if `all_of_it` is needed; otherwise the timelines that it lacks are short."""
    try:
        await shadow.take_archived(archive.events())
    except ArchiveUnreadable as error:
        if all_of_it:
            raise
        log.exception("archive left out of a rebuild", reason=str(error))


async def _exchange(database: Connection, schema: int, position: int) -> None:
    async with database.transaction():
        await database.execute(sql("lock_tables_in_use"))
        if await database.fetchval(sql("schema_version")) != schema:
            raise SchemaChanged
        await database.execute(sql("exchange_tables"))
        await database.execute(sql("notify"), CHANNEL, str(position))
