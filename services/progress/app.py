"""The progress service, wired: the one writer of the read model."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext
from datetime import datetime, timedelta

from nats.aio.client import Client
from nats.aio.msg import Msg

from services.progress.archive import Archive
from services.progress.compaction import Compacted, compact
from services.progress.followers_copy import copying
from services.progress.projection import Checkpoint, Projection
from services.progress.projector import Projector
from services.progress.rebuild import already_put_aside, rebuild
from services.progress.settings import ProgressSettings
from services.progress.statements import sql
from services.progress.verify import Verdict, verify
from shared.bus.connection import connect
from shared.bus.installation import installation_id
from shared.bus.reader import ReadingInterrupted, reading, stream_state
from shared.bus.start_up import connected
from shared.journal.envelope import decode_any
from shared.journal.streams import LIFECYCLE
from shared.postgres.connection import connect_pool, connecting
from shared.postgres.migrate import migrate
from shared.running import StartRefused


class StreamMissing(StartRefused):
    def __init__(self) -> None:
        super().__init__(f"there is no stream {LIFECYCLE} yet: start the services first")


class ArchiveUnset(StartRefused):
    def __init__(self) -> None:
        super().__init__("there is no place for the archive: set COLDSTART_ARCHIVE_DIR")


@asynccontextmanager
async def running(settings: ProgressSettings) -> AsyncGenerator[Projector]:
    """Project or stand by until the block ends."""
    async with connected(settings, "progress") as connection:
        await _migrated(settings, waits=True)
        projector = Projector(connection, settings)
        async with _copying(settings, connection), asyncio.TaskGroup() as group:
            projecting = group.create_task(projector.run())
            try:
                yield projector
            finally:
                projecting.cancel()


def _copying(settings: ProgressSettings, connection: Client) -> AbstractAsyncContextManager[None]:
    if settings.followers_nats_url is None:
        return nullcontext()
    return copying(
        connection,
        settings.followers_nats_url.get_secret_value(),
        replicas=settings.stream_replicas,
        heartbeat_s=settings.stream_heartbeat_seconds,
    )


async def rebuild_once(settings: ProgressSettings) -> Checkpoint:
    """Rebuild the read model, whether or not a progress service is running. It changes nothing of the streams."""
    async with _only_connected(settings, "progress rebuild") as connection:
        if await installation_id(connection.jetstream()) is None:
            raise StreamMissing
        await _migrated(settings)
        return await rebuild(
            connection,
            settings.database_url.get_secret_value(),
            archive_dir=settings.archive_dir,
            heartbeat_s=settings.stream_heartbeat_seconds,
        )


async def project_once_more(settings: ProgressSettings, sequence: int) -> None:
    """Project one event that could not be projected in its turn.

    It is read exactly as the projector reads it, to the last digit of its time. Raises Undecodable,
    ReadingInterrupted, and what PostgreSQL raises.
    """
    async with _only_connected(settings, "progress replay") as connection:
        stream = await stream_state(connection)
        message = await _event(connection, sequence, settings.stream_heartbeat_seconds)
        recorded = decode_any(message.data, sequence, message.metadata.timestamp)
        url = settings.database_url.get_secret_value()
        async with connecting(url, name="coldstart replay") as database:
            await Projection(database, stream.installation, already_put_aside).commit([recorded], 0)


async def _event(connection: Client, sequence: int, heartbeat_s: float) -> Msg:
    async with reading(connection, after=sequence - 1, heartbeat_s=heartbeat_s) as events:
        while not events.caught_up:
            for first in await events.batch():
                if first.metadata.sequence.stream == sequence:
                    return first
                raise ReadingInterrupted(f"the stream has no event at {sequence} any more")
    raise ReadingInterrupted(f"the stream has no event at {sequence}")


async def verify_once(settings: ProgressSettings) -> Verdict:
    """Compare snapshots and read model with the facts, whether or not a progress service is running."""
    async with _only_connected(settings, "progress verify") as connection:
        return await verify(
            connection,
            settings.database_url.get_secret_value(),
            archive_dir=settings.archive_dir,
            heartbeat_s=settings.stream_heartbeat_seconds,
        )


async def accept_loss(settings: ProgressSettings) -> bool:
    """Let the api no longer warn that the database was lost; False if nothing is to be accepted."""
    await _migrated(settings)
    async with connecting(settings.database_url.get_secret_value(), name="coldstart accept-loss") as database:
        return bool(await database.fetch(sql("accept_loss")))


async def compact_once(settings: ProgressSettings, now: datetime) -> Compacted:
    """Move the histories of instances that ended long ago into the archive. Raises what `compact` raises.

    The user of the URL needs to be allowed to purge the stream: no service is, the operator is.
    """
    if settings.archive_dir is None:
        raise ArchiveUnset
    async with _only_connected(settings, "progress compact") as connection:
        stream = await stream_state(connection)
        return await compact(
            connection,
            settings.database_url.get_secret_value(),
            Archive(settings.archive_dir, stream.installation),
            before=now - timedelta(days=settings.retention_days),
            now=now,
            heartbeat_s=settings.stream_heartbeat_seconds,
        )


@asynccontextmanager
async def _only_connected(settings: ProgressSettings, name: str) -> AsyncGenerator[Client]:
    """Without declaring the streams: a single command may have other settings than the services have."""
    connection = await connect(settings.nats_url.get_secret_value(), name)
    try:
        yield connection
    finally:
        await connection.close()


async def _migrated(settings: ProgressSettings, *, waits: bool = False) -> None:
    url = settings.database_url.get_secret_value()
    async with connect_pool(url, name="coldstart migrate", max_size=1, waits=waits) as pool:
        await migrate(pool)
