"""The usage of every request, in memory until it is in the database. No request waits for that."""

import asyncio
from collections import deque
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final, NamedTuple, Protocol
from uuid import UUID

import asyncpg
import structlog
from prometheus_client import Counter

from shared.clock import CLOCK
from shared.postgres.connection import DATABASE_ERRORS

_BATCH: Final = 500
"""Rows per statement: encoding this many blocks the event loop for 2 ms."""
_KEPT: Final = 200_000
"""The most rows in memory: about an hour of fifty requests a second, in some 60 MB."""
_FORGETTING_S: Final = 3_600.0
_FORGOTTEN: Final = 5_000
"""Rows deleted between two writes: few enough for the database's time-out."""
_lost: Final = Counter("coldstart_usage_rows_lost_total", "Usage that could not be written for too long")
NEVER: Final = (asyncpg.DataError, asyncpg.IntegrityConstraintViolationError)

log = structlog.get_logger()


class Usage(NamedTuple):
    """The parameters of add_usage.sql, in order. Tokens are None if unknown."""

    id: UUID
    at: datetime
    key_id: UUID
    organization_id: UUID | None
    model: str
    instance_id: UUID
    endpoint: str
    status: int
    prompt_tokens: int | None
    completion_tokens: int | None
    estimated: bool
    first_byte_ms: float | None
    duration_ms: float


class Ledger(Protocol):
    """The permanent store of usage. Raises one of DATABASE_ERRORS if it fails."""

    async def add(self, rows: Sequence[Usage]) -> None: ...

    async def forget(self, before: datetime, most: int) -> bool:
        """Delete the oldest rows from before; returns whether there may be more than `most`."""


class UsageLog:
    """Writes every `interval_s`, and deletes after `kept`."""

    def __init__(self, ledger: Ledger, *, interval_s: float, kept: timedelta) -> None:
        self._ledger = ledger
        self._interval_s = interval_s
        self._kept = kept
        self._rows: deque[Usage] = deque()

    def add(self, row: Usage) -> None:
        """Add a row. If the database is away for too long, the oldest rows are dropped."""
        if len(self._rows) >= _KEPT:
            self._rows.popleft()
            _lost.inc()
        self._rows.append(row)

    async def run(self) -> None:
        """Write for ever; the owner cancels it, and calls `write` once more."""
        forgets_at = 0.0
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(self._interval_s)
            try:
                await self.write()
                if loop.time() >= forgets_at:
                    forgets_at = loop.time() + _FORGETTING_S  # also if that fails: writing comes first
                    if await self._ledger.forget(CLOCK.now() - self._kept, _FORGOTTEN):
                        forgets_at = 0.0
            except DATABASE_ERRORS as error:
                log.warning("usage not written", rows=len(self._rows), reason=repr(error))

    async def write(self) -> None:
        """Write all rows. Rows that cannot be written now are put back. Raises one of DATABASE_ERRORS."""
        while self._rows:
            batch = [self._rows.popleft() for _ in range(min(_BATCH, len(self._rows)))]
            try:
                await self._add(batch)
            except BaseException:
                self._rows.extendleft(reversed(batch))
                raise

    async def _add(self, batch: list[Usage]) -> None:
        """A row that the database will never accept is dropped, so that it does not block the others."""
        try:
            await self._ledger.add(batch)
        except NEVER as error:
            if len(batch) == 1:
                _lost.inc()
                log.warning("usage dropped", row=batch[0], reason=repr(error))
                return
            for row in batch:
                await self._add([row])
