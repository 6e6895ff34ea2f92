"""One projector at a time: the session that holds an advisory lock leads, and writes over that same session.

A projector that loses the session also loses its open transaction, so two never write at once.
"""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Final

from services.progress.statements import sql
from shared.postgres.connection import Connection, connecting

_SESSION: Final = {"synchronous_commit": "off"}
"""A crash of PostgreSQL may lose the last commits, but with their checkpoint: the stream still has the events."""


@asynccontextmanager
async def leading(database_url: str, *, standby_s: float) -> AsyncGenerator[Connection]:
    """Stand by until nobody else leads, then lead until the block ends or the connection breaks."""
    async with connecting(database_url, name="coldstart progress", server_settings=_SESSION) as database:
        # A session that waited for a lock inside PostgreSQL would hold back VACUUM meanwhile.
        while not await database.fetchval(sql("try_to_lead")):  # noqa: ASYNC110  nobody announces a lock's release
            await asyncio.sleep(standby_s)
        yield database
