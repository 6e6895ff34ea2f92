"""`/costs`: what the servers have cost, by organisation and day."""

from datetime import UTC, date, datetime, timedelta
from typing import Annotated, Final
from uuid import UUID

from litestar import get
from litestar.di import NamedDependency
from litestar.params import QueryParameter
from pydantic import BaseModel, ConfigDict

from services.api.database import Database
from services.api.problems import FieldError, invalid

LONGEST: Final = timedelta(days=366)
_BY_DEFAULT: Final = timedelta(days=30)


class DayCost(BaseModel):
    """Of one day in UTC, at list price; `organization_id` is None for instances that everybody shares."""

    model_config = ConfigDict(frozen=True)
    day: date
    organization_id: UUID | None
    currency: str
    cost: float


class Costs(BaseModel):
    model_config = ConfigDict(frozen=True)
    items: list[DayCost]
    next_cursor: None = None


@get(
    "/costs",
    summary="Add up what the servers have cost, by organisation and day",
    description="Days are in UTC, `from` and `to` included; by default the last thirty. The newest comes first.",
)
async def list_costs(
    database: NamedDependency[Database],
    begin: Annotated[date | None, QueryParameter(name="from", description="The first day, such as 2026-01-31.")] = None,
    to: Annotated[date | None, QueryParameter(description="The last day; today if it is not given.")] = None,
) -> Costs:
    now = datetime.now(UTC)
    last = to or now.date()
    first = begin or last - _BY_DEFAULT
    if first > last:
        raise invalid(FieldError(pointer="from", detail=f"{first} is after {last}."))
    if last - first > LONGEST:
        raise invalid(FieldError(pointer="from", detail=f"at most {LONGEST.days} days at once."))
    return Costs(items=[DayCost.model_validate(row) for row in await database.costs(first, last, now)])


ROUTES: Final = (list_costs,)
