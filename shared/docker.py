"""The worker's container, and Docker's own notation: what it prints of a container's state and log. Pure."""

import re
from datetime import datetime
from typing import Final

CONTAINER: Final = "coldstart-worker"
"""The container's name, as the install sets it."""
STATE: Final = (
    "docker inspect --format "
    f"'{{{{.State.Status}}}} {{{{.State.ExitCode}}}} {{{{.State.StartedAt}}}} {{{{.State.FinishedAt}}}}' {CONTAINER}"
)
"""Prints a line like `restarting 1 2026-01-01T00:00:00.5Z 2026-01-01T00:00:09Z`."""
TIME: Final = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,9})?Z"
STAMPED: Final = re.compile(rf"({TIME}) ?(.*)", re.DOTALL)
"""A line of `docker logs --timestamps`."""
_YEAR_OF_NEVER: Final = 1


def moment(text: str) -> datetime | None:
    """A time as Docker writes it, with up to nine digits of a second; None for its zero, year 1."""
    whole, _, fraction = text.rstrip("Z").partition(".")
    try:
        at = datetime.fromisoformat(f"{whole}.{fraction:0<6.6}+00:00")
    except ValueError:
        return None
    return None if at.year == _YEAR_OF_NEVER else at
