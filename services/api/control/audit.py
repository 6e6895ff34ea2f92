"""`/audit`: who asked for what."""

from typing import Annotated, Any, Final

from litestar import Request, get
from litestar.params import QueryParameter

from services.api.access.api_keys import ApiKey
from services.api.audit.entries import AuditEntry, EntryType
from services.api.audit.repository import AuditRepository, Filter
from services.api.catalogue.access_cache import AccessCache
from services.api.control.authorization import MEMBERS
from services.api.control.dependencies import Provided
from services.api.control.pages import Cursor, Limit, Page, page, position
from services.api.control.times import A_TIME, time
from services.api.tenancy.ownership import whose

Types = Annotated[
    list[EntryType] | None,
    QueryParameter(name="type", description="Only these events, or what else was done; repeatable."),
]


@get(
    "/audit",
    opt=MEMBERS,
    summary="List who asked for what, newest first",
    description="What somebody asked of instances, deployments and machine images, and every change of keys, limits, "
    "organisations, offerings, models and webhooks. A user's key sees what was done to what its organisation owns.",
)
async def list_audit(  # noqa: PLR0913 - each filter is an argument
    *,
    request: Request[Any, ApiKey, Any],
    audit: Provided[AuditRepository],
    access: Provided[AccessCache],
    types: Types = None,
    actor: Annotated[
        str | None, QueryParameter(max_length=200, description="Only by this key (its id or name) or service.")
    ] = None,
    subject: Annotated[
        str | None, QueryParameter(max_length=200, description="Only what was done to this (an id or a name).")
    ] = None,
    organization: Annotated[
        str | None, QueryParameter(max_length=63, description="Only what is of the organisation with this slug.")
    ] = None,
    since: Annotated[
        str | None, QueryParameter(max_length=64, schema_extra=A_TIME, description="Not before this time.")
    ] = None,
    until: Annotated[
        str | None, QueryParameter(max_length=64, schema_extra=A_TIME, description="Before this time.")
    ] = None,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> Page[AuditEntry]:
    wanted = Filter(
        types,
        actor,
        subject,
        whose(organization, request.auth, access),
        since=time(since, "since"),
        until=time(until, "until"),
    )
    found = await audit.page(wanted, after=position(cursor), limit=limit + 1)
    return page(found, limit, lambda last: (last.at, last.id))


ROUTES: Final = (list_audit,)
