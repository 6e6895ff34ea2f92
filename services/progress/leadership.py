"""One projector at a time: the session that holds an advisory lock leads, and writes over that same session.

Whoever loses the session loses the transaction it was in with it, so two never write at once.
"""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Final

from services.progress.statements import sql
from shared.postgres.connection import Connection, connecting

_SESSION: Final = {"synchronous_commit": "off"}
"""What a crash of PostgreSQL takes back, it takes back together with the checkpoint: the stream has it still."""


@asynccontextmanager
async def leading(database_url: str, *, standby_s: float) -> AsyncGenerator[Connection]:
    """Stand by until no other leads, then lead until the block ends or the connection breaks."""
    async with connecting(database_url, name="coldstart progress", server_settings=_SESSION) as database:
        # A session that waits for a lock inside PostgreSQL would hold back VACUUM as long as it waits.
        while not await database.fetchval(sql("try_to_lead")):  # noqa: ASYNC110  nobody announces a lock's release
            await asyncio.sleep(standby_s)
        yield database
