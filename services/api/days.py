"""Which days a report is about."""

from datetime import date
from typing import Annotated, Final, TypeAlias

from litestar.params import QueryParameter

from services.api.problems import FieldError, invalid

LONGEST: Final = 366
_BY_DEFAULT: Final = 30

FirstDay: TypeAlias = Annotated[date | None, QueryParameter(name="from", description="The first day, as 2026-01-31.")]
LastDay: TypeAlias = Annotated[date | None, QueryParameter(description="The last day; today if it is not given.")]


def days(begin: date | None, to: date | None, today: date) -> tuple[date, date]:
    """The first and the last, both included; by default thirty of them, or what there is since the first of all days.

    Raises Problem.
    """
    last = to or today
    first = begin or date.fromordinal(max(1, last.toordinal() - _BY_DEFAULT + 1))
    if first > last:
        raise invalid(FieldError(pointer="from", detail=f"{first} is after {last}."))
    if (last - first).days + 1 > LONGEST:
        raise invalid(FieldError(pointer="from", detail=f"at most {LONGEST} days at once."))
    return first, last
