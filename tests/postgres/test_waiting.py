"""A service that starts before its database does."""

import asyncio
from collections.abc import AsyncGenerator, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from pydantic import SecretStr

from coldstart.embedded import EmbeddedPostgres
from coldstart.embedded.ports import HOST
from services.api.app import running as api
from services.progress.app import running as progress
from shared.postgres.connection import connect_pool
from shared.running import StartRefused
from tests.api.conftest import offering
from tests.progress.service import settings_for

WITHIN_S = 60


@dataclass
class Absent:
    """A database that is still to be started, and whose port answers nobody."""

    server: EmbeddedPostgres
    url: str

    async def asked_for(self) -> None:
        """Wait until somebody has tried to connect, and was cut off."""
        asked = asyncio.Event()

        async def cut_off(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writer.close()
            asked.set()

        async with asyncio.timeout(WITHIN_S), await asyncio.start_server(cut_off, HOST, self.server.folder.port):
            await asked.wait()


@pytest.fixture
async def absent(tmp_path: Path) -> Absent:
    async with EmbeddedPostgres(tmp_path) as server:
        url = server.url
    return Absent(EmbeddedPostgres(tmp_path, port=server.folder.port or 0), url)


@asynccontextmanager
async def begun_before(absent: Absent, start: Coroutine[Any, Any, None]) -> AsyncGenerator[None]:
    """`start` has begun and waits; the block runs once it has ended, with the database."""
    starting = asyncio.create_task(start)
    await absent.asked_for()
    assert not starting.done()
    async with absent.server:
        async with asyncio.timeout(WITHIN_S):
            await starting
        yield


async def test_a_pool_that_waits_opens_once_there_is_a_server(absent: Absent) -> None:
    async def start() -> None:
        async with connect_pool(absent.url, name="test", waits=True) as pool:
            assert await pool.fetchval("SELECT 1") == 1

    async with begun_before(absent, start()):
        pass


async def test_a_pool_does_not_wait_for_another_password(postgres_url: str) -> None:
    wrong = postgres_url.replace("@", "x@")
    with pytest.raises(StartRefused, match="COLDSTART_DATABASE_URL"):
        async with asyncio.timeout(WITHIN_S), connect_pool(wrong, name="test", waits=True):
            pass


async def test_progress_waits_for_a_database_that_is_away_when_it_starts(absent: Absent, nats_url: str) -> None:
    async def start() -> None:
        async with progress(settings_for(nats_url, absent.url)):
            pass

    async with begun_before(absent, start()):
        connection = await asyncpg.connect(absent.url)
        assert await connection.fetchval("SELECT count(*) FROM schema_migrations") > 0
        await connection.close()


async def test_the_api_waits_for_a_database_that_is_away_when_it_starts(
    absent: Absent, nats_url: str, database_url: str
) -> None:
    async def start() -> None:
        async with (
            offering(nats_url, database_url) as stage,
            api(stage.settings(database_url=SecretStr(absent.url))) as served,
        ):
            assert served.url

    async with begun_before(absent, start()):
        pass
