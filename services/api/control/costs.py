"""`/costs`: what the servers have cost, by organisation and day."""

from typing import Annotated, Any, Final

from litestar import Request, get
from litestar.params import QueryParameter
from pydantic import BaseModel, ConfigDict

from services.api.access.api_keys import ApiKey
from services.api.catalogue.access_cache import AccessCache
from services.api.control.authorization import MEMBERS
from services.api.control.days import FirstDay, LastDay, days
from services.api.control.dependencies import Provided
from services.api.tenancy.ownership import whose
from services.api.usage.costs import CostRepository, DayCost
from shared.clock import CLOCK


class Costs(BaseModel):
    """`unpriced`: how many instances had a server on in those days at an unknown price; they are not in the sums."""

    model_config = ConfigDict(frozen=True)
    items: list[DayCost]
    unpriced: int
    next_cursor: None = None


@get(
    "/costs",
    opt=MEMBERS,
    summary="Add up what the servers have cost, by organisation and day",
    description="Days are in UTC, `from` and `to` included; by default the last thirty. The newest comes first. "
    "A user's key sees its organisation's. `unpriced` counts the instances that are missing in the sums: the "
    "provider's price list could not be read when they were created, or names no price. `machine_images` is what "
    "keeping those cost, which is not in `cost`.",
)
async def list_costs(
    *,
    request: Request[Any, ApiKey, Any],
    access: Provided[AccessCache],
    costs: Provided[CostRepository],
    begin: FirstDay = None,
    to: LastDay = None,
    organization: Annotated[
        str | None, QueryParameter(max_length=63, description="Only those of the organisation with this slug.")
    ] = None,
) -> Costs:
    now = CLOCK.now()
    first, last = days(begin, to, now.date())
    of = whose(organization, request.auth, access)
    items = await costs.by_day(first, last, now, of)
    return Costs(items=items, unpriced=await costs.unpriced(first, last, now, of))


ROUTES: Final = (list_costs,)
