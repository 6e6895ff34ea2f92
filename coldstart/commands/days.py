"""Days (UTC) as people type them: `2026-01-31`."""

from datetime import date
from typing import Annotated

import typer


def day(typed: str) -> date:
    """Raises typer.BadParameter."""
    try:
        return date.fromisoformat(typed)
    except ValueError:
        raise typer.BadParameter(f"{typed!r} is no day; write it as 2026-01-31.") from None


FirstDay = Annotated[
    date | None, typer.Option("--from", parser=day, metavar="DAY", help="The first day, such as 2026-01-31.")
]
LastDay = Annotated[
    date | None, typer.Option("--to", parser=day, metavar="DAY", help="The last day; today if it is not given.")
]
