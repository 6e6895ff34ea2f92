"""`/usage`: what was used, by whom and of what, as the workers told it."""

from collections.abc import Sequence
from datetime import UTC, date, datetime
from typing import Annotated, Any, Final, Literal, Self
from uuid import UUID

from litestar import Request, get
from litestar.di import NamedDependency
from litestar.params import QueryParameter
from pydantic import BaseModel, ConfigDict

from services.api.access.authentication import ANY_KEY
from services.api.access.cache import AccessCache
from services.api.access.keys import ApiKey, Role
from services.api.control.days import FirstDay, LastDay, days
from services.api.tenancy.ownership import whose
from services.api.usage.usage_table import UsageTable

_MOST: Final = 10_000

Group = Literal["day", "key", "organization", "model", "instance"]
_GROUPS: Final[Sequence[Group]] = ("day", "model")


class Milliseconds(BaseModel):
    model_config = ConfigDict(frozen=True)
    p50: float | None
    p95: float | None


class UsageSum(BaseModel):
    """What was not asked for by `group_by` is null. `first_byte_ms` is until a worker's answer began.

    `requests_untold`: of the requests, those whose worker did not tell all its tokens; a stream's chunks were then
    counted as its completion tokens.
    """

    model_config = ConfigDict(frozen=True)
    day: date | None
    key_id: UUID | None
    organization_id: UUID | None
    model: str | None
    instance_id: UUID | None
    requests: int
    failed_requests: int
    prompt_tokens: int
    completion_tokens: int
    requests_untold: int
    first_byte_ms: Milliseconds
    duration_ms: Milliseconds

    @classmethod
    def of(cls, row: dict[str, Any]) -> Self:
        def shown(name: str) -> Milliseconds:
            p50, p95 = row[name] or (None, None)
            return Milliseconds(p50=p50, p95=p95)

        return cls.model_validate({**row, "first_byte_ms": shown("first_byte_ms"), "duration_ms": shown("duration_ms")})


class UsageSums(BaseModel):
    """At most 10,000; `truncated`: there are more, of older days or of fewer requests."""

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
    access: NamedDependency[AccessCache],
    usage_table: NamedDependency[UsageTable],
    group_by: Annotated[
        list[Group] | None,
        QueryParameter(description="Repeat it to add up by several: `?group_by=day&group_by=model`."),
    ] = None,
    begin: FirstDay = None,
    to: LastDay = None,
    organization: Annotated[
        str | None, QueryParameter(max_length=63, description="Only what the one with this slug has used.")
    ] = None,
) -> UsageSums:
    first, last = days(begin, to, datetime.now(UTC).date())
    of = whose(organization, request.auth, access)
    rows = await usage_table.summed_up(
        first,
        last,
        group_by or _GROUPS,
        organization=of,
        key=_only_key(request.auth),
        limit=_MOST + 1,
    )
    return UsageSums(items=[UsageSum.of(row) for row in rows[:_MOST]], truncated=len(rows) > _MOST)


def _only_key(owner: ApiKey) -> UUID | None:
    """Of which key alone this key may see the usage; None for any that is not kept from it otherwise."""
    return None if owner.role is Role.ADMIN or owner.organization_id else owner.id


ROUTES: Final = (list_usage,)
