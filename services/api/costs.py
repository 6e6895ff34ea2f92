"""`/costs`: what the servers have cost, by organisation and day."""

from datetime import UTC, date, datetime, timedelta
from typing import Annotated, Any, Final
from uuid import UUID

from litestar import Request, get
from litestar.di import NamedDependency
from litestar.params import QueryParameter
from pydantic import BaseModel, ConfigDict

from services.api.authentication import MEMBERS
from services.api.database import Database
from services.api.keys import ApiKey
from services.api.mirror import Mirror
from services.api.ownership import whose
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
    opt=MEMBERS,
    summary="Add up what the servers have cost, by organisation and day",
    description="Days are in UTC, `from` and `to` included; by default the last thirty. The newest comes first. "
    "A user's key sees its organisation's.",
)
async def list_costs(
    *,
    request: Request[Any, ApiKey, Any],
    mirror: NamedDependency[Mirror],
    database: NamedDependency[Database],
    begin: Annotated[date | None, QueryParameter(name="from", description="The first day, such as 2026-01-31.")] = None,
    to: Annotated[date | None, QueryParameter(description="The last day; today if it is not given.")] = None,
    organization: Annotated[
        str | None, QueryParameter(max_length=63, description="Only those of the one with this slug.")
    ] = None,
) -> Costs:
    now = datetime.now(UTC)
    last = to or now.date()
    first = begin or last - _BY_DEFAULT
    if first > last:
        raise invalid(FieldError(pointer="from", detail=f"{first} is after {last}."))
    if last - first > LONGEST:
        raise invalid(FieldError(pointer="from", detail=f"at most {LONGEST.days} days at once."))
    of = whose(organization, request.auth, mirror)
    return Costs(items=[DayCost.model_validate(row) for row in await database.costs(first, last, now, of)])


ROUTES: Final = (list_costs,)
