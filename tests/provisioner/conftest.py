"""A stage for every test of an action."""

from collections.abc import AsyncGenerator

import pytest

from shared.bus.connection import connect
from shared.bus.topology import apply_topology
from shared.journal.journal import Journal
from tests.provisioner.fake_provider import FakeProvider
from tests.provisioner.stage import Stage, quick


@pytest.fixture
async def stage(nats_url: str) -> AsyncGenerator[Stage]:
    connection = await connect(nats_url, "test")
    await apply_topology(connection.jetstream(), replicas=1, ack_wait_s=quick().lease_seconds)
    yield Stage(Journal(connection, actor="provisioner", source="/coldstart/test"), FakeProvider(), connection)
    await connection.close()
