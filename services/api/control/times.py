"""Times in addresses."""

from datetime import UTC, datetime
from typing import Any, Final

from litestar.openapi.spec import OpenAPIFormat

from services.api.refusals import FieldError, invalid

A_TIME: Final[dict[str, Any]] = {"format": OpenAPIFormat.DATE_TIME}
"""How a parameter that is one is described."""


def time(given: str | None, parameter: str) -> datetime | None:
    """In UTC. Raises Invalid unless it is a time with its offset."""
    if given is None:
        return None
    try:
        at = datetime.fromisoformat(given.upper())
        if at.tzinfo is not None:
            return at.astimezone(UTC)
    except (ValueError, OverflowError):  # at the ends of the calendar, no other offset can be told
        pass
    detail = f"{given!r} is no time with its offset, such as 2026-01-31T09:30:00Z."
    raise invalid(FieldError(pointer=parameter, detail=detail))
