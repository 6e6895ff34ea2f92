"""The days of a report."""

from datetime import date
from typing import Annotated, Final, TypeAlias

from litestar.openapi.spec import OpenAPIFormat
from litestar.params import QueryParameter

from services.api.refusals import FieldError, invalid

LONGEST: Final = 366
_BY_DEFAULT: Final = 30
_A_DAY: Final = {"format": OpenAPIFormat.DATE}

FirstDay: TypeAlias = Annotated[
    str | None, QueryParameter(name="from", schema_extra=_A_DAY, description="First day, e.g. 2026-01-31.")
]
LastDay: TypeAlias = Annotated[str | None, QueryParameter(schema_extra=_A_DAY, description="Last day. Default: today.")]


def days(begin: str | None, to: str | None, today: date) -> tuple[date, date]:
    """The first and the last day, both included; by default thirty days, or as many as the calendar allows.

    Raises Invalid.
    """
    last = today if to is None else day(to, "to")
    by_default = date.fromordinal(max(1, last.toordinal() - _BY_DEFAULT + 1))
    first = by_default if begin is None else day(begin, "from")
    if first > last:
        raise invalid(FieldError(pointer="from", detail=f"{first} is after {last}."))
    if (last - first).days + 1 > LONGEST:
        raise invalid(FieldError(pointer="from", detail=f"at most {LONGEST} days at once."))
    return first, last


def day(given: str, parameter: str) -> date:
    """Accepts only this one format, so that nothing counts as a day by chance. Raises Invalid."""
    try:
        found = date.fromisoformat(given)
    except ValueError:
        found = None
    if found is None or found.isoformat() != given:
        raise invalid(FieldError(pointer=parameter, detail=f"invalid day {given!r}. Use e.g. 2026-01-31."))
    return found
