"""Reads follow writes: whoever changed an instance is answered once the read model shows it, or after a short while."""

import asyncio
from uuid import UUID

from shared.postgres.connection import DATABASE_ERRORS, Pool
from shared.postgres.statements import statement


class ReadYourWrites:
    """Woken by the projector's notifications; each names a position, so the version itself is looked up."""

    def __init__(self, pool: Pool, patience_s: float) -> None:
        self._pool = pool
        self._patience_s = patience_s
        self._moved = asyncio.Event()

    def moved(self) -> None:
        """The projector has committed something."""
        moved, self._moved = self._moved, asyncio.Event()
        moved.set()

    async def shows(self, instance_id: UUID, version: int) -> None:
        """Return when it does, when patience ends, or at once when the database is down: the event stands anyway."""
        try:
            async with asyncio.timeout(self._patience_s):
                while True:
                    moved = self._moved
                    if await self._version(instance_id) >= version:
                        return
                    await moved.wait()
        except DATABASE_ERRORS:  # a TimeoutError is one of these
            return

    async def _version(self, instance_id: UUID) -> int:
        """0 when the projector has not seen it."""
        found: int | None = await self._pool.fetchval(
            statement("services.api.admission", "projected_version"), instance_id
        )
        return found or 0
