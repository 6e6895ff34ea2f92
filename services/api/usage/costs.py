"""What servers have cost, added up from the instances' snapshots."""

from datetime import UTC, date, datetime
from uuid import UUID

from pydantic import BaseModel, ConfigDict

from shared.postgres.connection import Pool
from shared.postgres.statements import statement


class DayCost(BaseModel):
    """The cost of servers on one day in UTC, at list price; `organization_id` is None for shared instances.

    `machine_images` is what keeping those cost besides. Both count towards the organisation's monthly limit.
    """

    model_config = ConfigDict(frozen=True)
    day: date
    organization_id: UUID | None
    currency: str
    cost: float
    machine_images: float = 0.0


class CostRepository:
    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def by_day(self, first: date, last: date, at: datetime, organization_id: UUID | None) -> list[DayCost]:
        """Newest day first, for one organisation or all; a server that is on at `at` counts until then."""
        rows = await self._pool.fetch(_sql("costs_by_day"), first, last, _in_utc(at), organization_id)
        return [DayCost.model_validate(dict(row)) for row in rows]

    async def unpriced(self, first: date, last: date, at: datetime, organization_id: UUID | None) -> int:
        """How many instances had a server on in those days at an unknown price, which `by_day` cannot count."""
        return int(await self._pool.fetchval(_sql("unpriced"), first, last, _in_utc(at), organization_id))

    async def of_month(self, organization_id: UUID, at: datetime) -> dict[str, float]:
        """The cost by currency of servers and machine images in the month of `at` (UTC), until then."""
        today = at.astimezone(UTC).date()
        spent: dict[str, float] = {}
        for day in await self.by_day(today.replace(day=1), today, at, organization_id):
            spent[day.currency] = spent.get(day.currency, 0.0) + day.cost + day.machine_images
        return spent


def _in_utc(at: datetime) -> datetime:
    """In UTC without an offset, as the statements need it."""
    return at.astimezone(UTC).replace(tzinfo=None)


def _sql(name: str) -> str:
    return statement("services.api.usage", name)
