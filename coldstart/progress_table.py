"""Instances that are on their way, a line each: where, how far, how long there, when ready, at what cost."""

from collections.abc import Iterable
from datetime import datetime
from typing import Final

from rich.console import RenderableType
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from coldstart.colours import colour, painted
from coldstart.fleet import Member
from coldstart.money import money
from coldstart.waiting import briefly, lasted, soon
from shared.lifecycle.status import FAILURES

WIDE: Final = 120
"""Columns of a terminal that have room for everything; with fewer than `NARROW` only what is needed most is shown."""
NARROW: Final = 90


def progress_table(members: Iterable[Member], now: datetime, width: int) -> Table:
    """A line each, whatever the width: what is too long is cut off with an ellipsis, and nothing moves."""
    table = Table.grid(padding=(0, 2, 0, 0))
    bar = 20 if width >= WIDE else 10
    table.add_column(no_wrap=True, overflow="ellipsis", max_width=max(width // 5, 8))
    table.add_column(no_wrap=True)
    table.add_column(width=bar)
    table.add_column(no_wrap=True, justify="right")
    for _ in range(4):
        table.add_column(no_wrap=True, overflow="ellipsis")
    for member in members:
        cells: list[RenderableType] = [
            Text(member.name),
            painted(member.status),
            ProgressBar(100, member.progress, width=bar, complete_style=colour(member.status), finished_style="green"),
            f"{member.progress} %",
            Text(_where(member)),
        ]
        if width >= NARROW:
            cells.append(lasted((now - member.since).total_seconds()) if member.launching else "")
        cells.append(_when(member, brief=width < WIDE))
        if width >= WIDE:
            cells.append(money(member.spent_until(now), member.currency))
        table.add_row(*cells)
    return table


def _where(member: Member) -> str:
    """What it is doing, or where it stopped."""
    return member.doing if member.launching or member.status in FAILURES else ""


def _when(member: Member, *, brief: bool) -> str:
    if not member.launching or member.eta is None:
        return ""
    return soon(member.eta) if brief else briefly(member.eta)
