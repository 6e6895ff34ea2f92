"""`/console/audit`: who asked for what."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime, time, timedelta
from typing import Annotated, Any, Final
from urllib.parse import urlencode

from litestar import Request, get
from litestar.params import QueryParameter
from litestar.response import Template

from services.api.access.api_keys import ApiKey, Role
from services.api.audit.entries import AuditEntry, EntryType
from services.api.audit.repository import AuditRepository, Filter
from services.api.catalogue.access_cache import AccessCache
from services.api.console.rendering import Pages
from services.api.control.authorization import MEMBERS
from services.api.control.days import FirstDay, LastDay, day
from services.api.control.dependencies import Provided
from services.api.control.pages import Cursor, page, position
from services.api.tenancy.ownership import whose

_AT_ONCE: Final = 50
_BY: Final[Mapping[str, str]] = {
    "key": "key", "session": "in the console", "service": "service", "stranger": "nobody known",
}  # fmt: skip


@get("/console/audit", opt=MEMBERS)
async def audit(  # noqa: PLR0913 - each filter is an argument
    *,
    request: Request[Any, ApiKey, Any],
    entries: Provided[AuditRepository],
    access: Provided[AccessCache],
    pages: Provided[Pages],
    kind: Annotated[str, QueryParameter(name="type", max_length=100)] = "",
    actor: Annotated[str, QueryParameter(max_length=200)] = "",
    subject: Annotated[str, QueryParameter(max_length=200)] = "",
    organization: Annotated[str, QueryParameter(max_length=63)] = "",
    begin: FirstDay = None,
    to: LastDay = None,
    cursor: Cursor = None,
) -> Template:
    """A field of the form that is empty filters nothing."""
    wanted = Filter(
        [kind] if kind else None,
        actor or None,
        subject or None,
        whose(organization or None, request.auth, access),
        since=_midnight(begin, "from"),
        until=_midnight(to, "to", days_later=1),
    )
    found = await entries.page(wanted, after=position(cursor), limit=_AT_ONCE + 1)
    shown = page(found, _AT_ONCE, lambda last: (last.at, last.id))
    chosen = {"type": kind, "actor": actor, "subject": subject, "organization": organization}
    filters = chosen | {"from": begin or "", "to": to or ""}
    slugs = [one.slug for one in access.organizations] if request.auth.role is Role.ADMIN else []
    return pages.page(
        request,
        "audit",
        rows=[(entry, _BY[entry.actor.kind], _link(entry), _in_words(entry.details)) for entry in shown.items],
        filters=filters,
        filtered=any(filters.values()) or cursor is not None,
        older=_older(filters, shown.next_cursor),
        types=[*EntryType],
        slugs=slugs,
    )


ROUTES: Final = (audit,)


def _midnight(given: str | None, parameter: str, *, days_later: int = 0) -> datetime | None:
    """The beginning of a day in UTC. Raises Invalid."""
    if not given:
        return None
    found = datetime.combine(day(given, parameter), time(), UTC)
    try:
        return found + timedelta(days=days_later)
    except OverflowError:  # the last day of the calendar has no next one
        return None


def _older(filters: Mapping[str, str], cursor: str | None) -> str | None:
    """The address of the next page."""
    if cursor is None:
        return None
    return f"/console/audit?{urlencode({name: value for name, value in filters.items() if value} | {'cursor': cursor})}"


def _link(entry: AuditEntry) -> str | None:
    """The page of what it was done to, which may be gone."""
    match entry.subject.kind:
        case "instance" | "machine_image":
            return f"/console/instances/{entry.subject.id}"
        case "deployment":
            return f"/console/deployments/by-id/{entry.subject.id}"
        case "webhook":
            return f"/console/webhooks/{entry.subject.id}"
        case _:
            return None


def _in_words(details: Mapping[str, Any]) -> str:
    """As `attempt: 2, model: …`."""
    values = {name: value if isinstance(value, str) else json.dumps(value) for name, value in details.items()}
    return ", ".join(f"{name.replace('_', ' ')}: {value}" for name, value in values.items())
