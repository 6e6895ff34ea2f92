"""Usage in PostgreSQL: written in batches, summed on demand, deleted after its retention."""

from collections.abc import Sequence
from datetime import date, datetime
from uuid import UUID

from services.api.usage.log import Usage
from services.api.usage.sums import Failures, UsageSum
from shared.postgres.connection import Pool
from shared.postgres.statements import statement


class UsageRepository:
    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def add(self, rows: Sequence[Usage]) -> None:
        """Existing rows stay as they are."""
        await self._pool.execute(_sql("add_usage"), *zip(*rows, strict=True))

    async def forget(self, before: datetime, most: int) -> bool:
        """Delete at most `most` old rows; returns whether there may be more."""
        removed: str = await self._pool.execute(_sql("forget_usage"), before, most)
        return int(removed.removeprefix("DELETE ")) == most

    async def summed_up(
        self,
        first: date,
        last: date,
        group_by: Sequence[str],
        *,
        organization: UUID | None,
        key: UUID | None,
        failures: Failures,
        limit: int,
    ) -> list[UsageSum]:
        """Sums from the first day to the last in UTC, newest first; filters of None match everything."""
        where = (first, last, group_by, organization, key, limit)
        rows = await self._pool.fetch(_sql("usage_summed_up"), *where, failures.lowest, failures.client_left)
        return [UsageSum.of(dict(row)) for row in rows]


def _sql(name: str) -> str:
    return statement("services.api.usage", name)
