"""What keys and models in memory live through while the connection that they are read by breaks."""

import asyncio
import struct
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from urllib.parse import urlsplit

from pydantic import SecretStr

from services.api.catalogue.access_cache import AccessCache
from shared.postgres.connection import connect_pool
from tests.api.stage import PATIENCE_S, Stage

READY_FOR_QUERY = b"Z\x00\x00\x00\x05I"
FAREWELL = b"SFATAL\0VFATAL\0C57P01\0Mterminating connection due to administrator command\0\0"


@asynccontextmanager
async def parting_with_an_answer(url: str) -> AsyncGenerator[str]:
    """PostgreSQL at another URL, whose first LISTEN is answered and parted with in one breath."""
    target = urlsplit(url)
    parted = False

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        upstream, to_upstream = await asyncio.open_connection(target.hostname, target.port)
        listening = False

        async def asked() -> None:
            nonlocal listening
            while chunk := await reader.read(65_536):
                listening = listening or b"LISTEN" in chunk
                to_upstream.write(chunk)
            to_upstream.close()

        async def answered() -> None:
            nonlocal parted
            while chunk := await upstream.read(65_536):
                if listening and not parted and chunk.endswith(READY_FOR_QUERY):
                    parted = True
                    writer.write(chunk + b"E" + struct.pack("!i", len(FAREWELL) + 4) + FAREWELL)
                    break
                writer.write(chunk)
            writer.close()

        with suppress(ConnectionError):
            await asyncio.gather(asked(), answered())

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    try:
        yield target._replace(netloc=f"{target.username}:{target.password}@127.0.0.1:{port}").geturl()
        assert parted
    finally:
        server.close()


async def test_a_connection_that_the_server_parts_with_between_two_questions_is_replaced(stage: Stage) -> None:
    followed = asyncio.Event()
    async with (
        connect_pool(stage.database_url, name="test") as pool,
        parting_with_an_answer(stage.database_url) as url,
        asyncio.TaskGroup() as group,
    ):
        access = AccessCache(SecretStr(url), pool, admin_key=None, refresh_s=PATIENCE_S, on_projected=followed.set)
        following = group.create_task(access.run())
        async with asyncio.timeout(PATIENCE_S):
            await followed.wait()
        following.cancel()
