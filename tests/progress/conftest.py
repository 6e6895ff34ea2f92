import asyncio
from collections.abc import AsyncGenerator

import pytest

from shared.postgres.connection import Connection, connecting
from tests.progress.read_model import watching
from tests.progress.service import Stage, settings_for, writing
from tests.scratch import new_database


@pytest.fixture(scope="session")
def tables_url(postgres_url: str, template: str) -> str:
    """A database with the project's tables, for tests that only look at what one connection does to them."""
    with asyncio.Runner() as runner:
        return runner.run(new_database(postgres_url, template))[1]


@pytest.fixture
async def database(tables_url: str) -> AsyncGenerator[Connection]:
    """A connection to empty tables."""
    async with connecting(tables_url, name="test") as database:
        await database.execute("TRUNCATE instances, timeline, step_durations, checkpoints")
        yield database


@pytest.fixture
async def stage(nats_url: str, database_url: str) -> AsyncGenerator[Stage]:
    settings = settings_for(nats_url, database_url)
    async with writing(nats_url) as author, watching(database_url) as (watcher, database):
        yield Stage(author, settings, watcher, database)
