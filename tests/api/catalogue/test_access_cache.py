"""Keys and models in memory while the connection to PostgreSQL breaks."""

import asyncio
import struct
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from urllib.parse import urlsplit

import pytest
from pydantic import SecretStr

from services.api.access.api_keys import KeyLimits, NewApiKey, Role
from services.api.access.repository import ApiKeyRepository
from services.api.catalogue.access_cache import AccessCache
from services.api.tenancy.organizations import Limits, Organization
from services.api.tenancy.repository import OrganizationRepository, all_organizations
from shared.postgres.connection import Connection, connect_pool
from tests.api.stage import PATIENCE_S, Stage
from tests.lifecycle.facts import SOMEBODY

READY_FOR_QUERY = b"Z\x00\x00\x00\x05I"
FAREWELL = b"SFATAL\0VFATAL\0C57P01\0Mterminating connection due to administrator command\0\0"


@asynccontextmanager
async def parting_with_an_answer(url: str) -> AsyncGenerator[str]:
    """PostgreSQL behind a proxy that cuts the connection right after the answer to the first LISTEN."""
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
        access = AccessCache(SecretStr(url), pool, admin_key=None, refresh_s=10 * PATIENCE_S, on_projected=followed.set)
        following = group.create_task(access.run())
        async with asyncio.timeout(PATIENCE_S):
            await followed.wait()
        following.cancel()


async def test_keys_and_organizations_are_of_one_moment(database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Otherwise a key could be known while its organisation is not."""
    made: list[NewApiKey | None] = []
    async with connect_pool(database_url, name="test") as pool:

        async def all_but_the_newest(connection: Connection) -> list[Organization]:
            found = await all_organizations(connection)
            acme = await OrganizationRepository(pool).add("acme", "Acme", Limits(), by=SOMEBODY)
            assert acme is not None
            made.append(await ApiKeyRepository(pool).add("acme's", Role.USER, KeyLimits(), acme.id, by=SOMEBODY))
            return found

        access = AccessCache(
            SecretStr(database_url), pool, admin_key=None, refresh_s=PATIENCE_S, on_projected=lambda: None
        )
        monkeypatch.setattr("services.api.catalogue.access_cache.all_organizations", all_but_the_newest)
        await access.load()
        monkeypatch.undo()
        (key,) = made
        assert key is not None
        assert access.organizations.called("acme") is None
        assert access.keys.owner(key.key) is None
        await access.load()
        owner = access.keys.owner(key.key)
        assert owner is not None
        assert access.organization_of(owner) == access.organizations.called("acme")
