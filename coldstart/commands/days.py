"""Days (UTC) as people type them: `2026-01-31`."""

from datetime import date
from typing import Annotated

import typer


def day(typed: str) -> date:
    """Raises typer.BadParameter."""
    try:
        return date.fromisoformat(typed)
    except ValueError:
        raise typer.BadParameter(f"invalid day {typed!r}. Use e.g. 2026-01-31.") from None


FirstDay = Annotated[date | None, typer.Option("--from", parser=day, metavar="DAY", help="First day, e.g. 2026-01-31.")]
LastDay = Annotated[date | None, typer.Option("--to", parser=day, metavar="DAY", help="Last day. Default: today.")]
