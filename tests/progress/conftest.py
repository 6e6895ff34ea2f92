from collections.abc import AsyncGenerator

import pytest

from shared.postgres.connection import Connection, connecting
from tests.progress.read_model import watching
from tests.progress.service import Stage, settings_for, writing


@pytest.fixture
async def database(database_url: str) -> AsyncGenerator[Connection]:
    """A connection to empty tables."""
    async with connecting(database_url, name="test") as database:
        yield database


@pytest.fixture
async def stage(nats_url: str, database_url: str) -> AsyncGenerator[Stage]:
    settings = settings_for(nats_url, database_url)
    async with writing(nats_url) as author, watching(database_url) as (watcher, database):
        yield Stage(author, settings, watcher, database)
