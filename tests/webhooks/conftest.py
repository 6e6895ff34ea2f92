from collections.abc import AsyncGenerator

import pytest

from tests.webhooks.stage import Stage, staged


@pytest.fixture
async def stage(nats_url: str, database_url: str) -> AsyncGenerator[Stage]:
    async with staged(nats_url, database_url) as found:
        yield found
