from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import pytest

from shared.bus.connection import connect
from shared.bus.topology import apply_topology
from tests.api.fakes import a_hub
from tests.api.stage import Stage, a_stage


@pytest.fixture
async def stage(nats_url: str, database_url: str) -> AsyncGenerator[Stage]:
    async with offering(nats_url, database_url) as stage:
        yield stage


@asynccontextmanager
async def offering(nats_url: str, database_url: str) -> AsyncGenerator[Stage]:
    """The instance types are offered; no api runs yet."""
    connection = await connect(nats_url, "test")
    await apply_topology(connection.jetstream(), replicas=1, ack_wait_s=30)
    async with a_hub() as hub, a_stage(nats_url, database_url, connection, hub) as stage:
        await stage.offer()
        yield stage
    await connection.close()
