import asyncio
from collections.abc import AsyncGenerator
from uuid import uuid4

import asyncpg
import pytest

from shared.postgres.connection import Connection, connect_pool, connecting
from shared.postgres.migrate import migrate
from tests.progress.read_model import watching
from tests.progress.service import Stage, settings_for, writing


async def migrated(url: str) -> None:
    async with connect_pool(url, name="test") as pool:
        await migrate(pool)


@pytest.fixture(scope="session")
def tables_url(postgres_url: str) -> str:
    """A database with the project's tables, for tests that only look at what one connection does to them."""

    async def made() -> str:
        name = f"tables_{uuid4().hex}"
        connection = await asyncpg.connect(postgres_url)
        await connection.execute(f'CREATE DATABASE "{name}"')
        await connection.close()
        url = f"{postgres_url.rpartition('/')[0]}/{name}"
        await migrated(url)
        return url

    return asyncio.run(made())


@pytest.fixture
async def database(tables_url: str) -> AsyncGenerator[Connection]:
    """A connection to empty tables."""
    async with connecting(tables_url, name="test") as database:
        await database.execute("TRUNCATE instances, timeline, step_durations, checkpoints")
        yield database


@pytest.fixture
async def stage(nats_url: str, database_url: str) -> AsyncGenerator[Stage]:
    await migrated(database_url)
    settings = settings_for(nats_url, database_url)
    async with writing(nats_url) as author, watching(database_url) as (watcher, database):
        yield Stage(author, settings, watcher, database)
