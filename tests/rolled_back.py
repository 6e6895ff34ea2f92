"""A stream that is put back to what it was, as by a server that is restored from an older copy of its files."""

from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import asynccontextmanager

from nats.aio.client import Client

from coldstart.backup.streams import restore_stream, snapshot
from shared.journal.streams import LIFECYCLE


@asynccontextmanager
async def rolled_back(connection: Client) -> AsyncGenerator[None]:
    """At the end of the block, the event stream is what it was at its beginning."""
    async with snapshot(connection, LIFECYCLE) as taken:
        assert taken is not None
        chunks = [chunk async for chunk in taken.chunks]
    yield
    await connection.jetstream().delete_stream(LIFECYCLE)
    await restore_stream(connection, taken.config, taken.state, _each(chunks))


async def _each(chunks: Sequence[bytes]) -> AsyncIterator[bytes]:
    for chunk in chunks:
        yield chunk
