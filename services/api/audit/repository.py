"""The audit log in PostgreSQL."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, NoReturn
from uuid import UUID

import structlog

from services.api.audit.entries import AuditEntry, NewEntry, note
from shared.clock import CLOCK
from shared.postgres.connection import DATABASE_ERRORS, Pool
from shared.postgres.keyset import Position
from shared.postgres.statements import statement

_FORGETTING_S: Final = 3_600.0
_FORGOTTEN: Final = 5_000
"""Entries deleted at once: few enough for the database's time-out."""

log = structlog.get_logger()


@dataclass(frozen=True)
class Filter:
    """None lets everything pass. `actor` and `subject` are an id or a name; `since` is included, `until` is not."""

    types: Sequence[str] | None = None
    actor: str | None = None
    subject: str | None = None
    organization_id: UUID | None = None
    since: datetime | None = None
    until: datetime | None = None


class AuditRepository:
    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def add(self, entry: NewEntry) -> None:
        """Of what is done outside of the database."""
        async with self._pool.acquire() as connection:
            await note(connection, entry)

    async def page(self, wanted: Filter, *, after: Position | None, limit: int) -> list[AuditEntry]:
        """Newest first."""
        rows = await self._pool.fetch(
            _sql("page_of_entries"),
            *(after or (None, None)),
            limit,
            wanted.types,
            wanted.actor,
            _identified(wanted.actor),
            wanted.subject,
            wanted.organization_id,
            wanted.since,
            wanted.until,
        )
        return [AuditEntry.of(dict(row)) for row in rows]

    async def keep(self, kept: timedelta) -> NoReturn:
        """Delete what is older, for ever; the owner cancels it."""
        while True:
            try:
                while await self.forget(CLOCK.now() - kept, _FORGOTTEN):
                    pass
            except DATABASE_ERRORS as error:
                log.warning("old entries of the audit log not deleted", reason=repr(error))
            await asyncio.sleep(_FORGETTING_S)

    async def forget(self, before: datetime, most: int) -> bool:
        """Delete at most `most` old entries; returns whether there may be more."""
        removed: str = await self._pool.execute(_sql("forget_entries"), before, most)
        return int(removed.removeprefix("DELETE ")) == most


def _identified(actor: str | None) -> UUID | None:
    try:
        return UUID(actor) if actor else None
    except ValueError:
        return None


def _sql(name: str) -> str:
    return statement("services.api.audit", name)
