"""What becomes of a database that was lost while its stream was not.

The read model comes back from the stream by itself, and the models of running instances by their events. Keys,
organisations, offerings and usage were only there: that is said until the loss is accepted, or a backup is restored.
"""

import asyncio
from collections.abc import Sequence
from typing import Final
from uuid import UUID

import structlog

from shared.lifecycle.status import GONE
from shared.postgres.connection import DATABASE_ERRORS, Pool
from shared.postgres.statements import statement

log: Final = structlog.get_logger()


class LostDatabase:
    """`lost_events`: how many events the stream had when its database was empty; 0 if it was not, or that is accepted.

    It is looked at again every `refresh_s`, as long as there is a loss.
    """

    def __init__(self, pool: Pool, *, refresh_s: float) -> None:
        self._pool = pool
        self._refresh_s = refresh_s
        self._installation: UUID | None = None
        self.lost_events = 0

    @property
    def warnings(self) -> Sequence[str]:
        if not self.lost_events:
            return ()
        warning = (
            f"The database was empty, but the stream had {self.lost_events} events: API keys, organisations, offerings "
            "and usage were only there. Restore a backup into empty servers (coldstart restore), or accept the loss "
            "(coldstart accept-loss)."
        )
        return (warning,)

    async def begin(self, installation: UUID, last_sequence: int) -> None:
        """Call this at the start, before anything is added to the tables."""
        self._installation = installation
        await self._pool.execute(_sql("note_beginning"), installation, last_sequence)
        await self._look()
        for warning in self.warnings:
            log.error("database lost", reason=warning)

    async def run(self) -> None:
        """Runs until the loss is accepted; the owner cancels it."""
        while self.lost_events:
            await asyncio.sleep(self._refresh_s)
            try:
                await self._look()
            except DATABASE_ERRORS as error:
                log.warning("lost database not looked at", reason=repr(error))

    async def _look(self) -> None:
        """Models come back as their instances are projected. Their own change is announced to the access cache."""
        self.lost_events = await self._pool.fetchval(_sql("lost_events"), self._installation) or 0
        if self.lost_events:
            await self._pool.execute(_sql("recover_models"), sorted(GONE))


def _sql(name: str) -> str:
    return statement("services.api.feed", name)
