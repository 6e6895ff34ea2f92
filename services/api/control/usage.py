"""`/usage`: requests and tokens, as the workers reported them."""

from collections.abc import Sequence
from typing import Annotated, Any, Final, Literal
from uuid import UUID

from litestar import Request, get
from litestar.params import QueryParameter
from pydantic import BaseModel, ConfigDict

from services.api.access.api_keys import ApiKey, Role
from services.api.catalogue.access_cache import AccessCache
from services.api.control.authorization import ANY_KEY
from services.api.control.days import FirstDay, LastDay, days
from services.api.control.dependencies import Provided
from services.api.http.statuses import CLIENT_LEFT, LOWEST_ERROR
from services.api.tenancy.ownership import whose
from services.api.usage.repository import UsageRepository
from services.api.usage.sums import Failures, UsageSum
from shared.clock import CLOCK

_MOST: Final = 10_000
_FAILURES: Final = Failures(lowest=LOWEST_ERROR, client_left=CLIENT_LEFT)

Group = Literal["day", "key", "organization", "model", "instance"]
_GROUPS: Final[Sequence[Group]] = ("day", "model")


class UsageSums(BaseModel):
    """At most 10,000 sums; `truncated`: there are more, of older days or fewer requests."""

    model_config = ConfigDict(frozen=True)
    items: list[UsageSum]
    truncated: bool
    next_cursor: None = None


@get(
    "/usage",
    opt=ANY_KEY,
    summary="Add up requests and tokens, by day, key, organisation, model or instance",
    description="Days are in UTC, `from` and `to` included; by default the last thirty. An administrator sees all, "
    "a key of an organisation what that has used, any other key its own; `organization` confines that to one. "
    "A request is counted shortly after its end.",
)
async def list_usage(
    *,
    request: Request[Any, ApiKey, Any],
    access: Provided[AccessCache],
    usage: Provided[UsageRepository],
    group_by: Annotated[
        list[Group] | None,
        QueryParameter(description="Repeat it to group by several: `?group_by=day&group_by=model`."),
    ] = None,
    begin: FirstDay = None,
    to: LastDay = None,
    organization: Annotated[
        str | None, QueryParameter(max_length=63, description="Only the usage of the organisation with this slug.")
    ] = None,
) -> UsageSums:
    first, last = days(begin, to, CLOCK.now().date())
    of = whose(organization, request.auth, access)
    rows = await usage.summed_up(
        first,
        last,
        group_by or _GROUPS,
        organization=of,
        key=_only_key(request.auth),
        failures=_FAILURES,
        limit=_MOST + 1,
    )
    return UsageSums(items=rows[:_MOST], truncated=len(rows) > _MOST)


def _only_key(owner: ApiKey) -> UUID | None:
    """The only key whose usage this key may see; None if it is not limited to one."""
    return None if owner.role is Role.ADMIN or owner.organization_id else owner.id


ROUTES: Final = (list_usage,)
