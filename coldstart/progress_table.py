"""Starting instances, a line each: step, progress, time in step, when ready, cost."""

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
from coldstart.waiting import briefly, lasted, next_try, soon
from shared.eta.estimate import LAUNCHING

WIDE: Final = 120
"""Terminal columns needed for figures; below `NARROW` only the essentials are shown."""
NARROW: Final = 90
_ROOMY: Final = 140
"""Terminal columns needed for everything and a long step."""
_STATUS: Final = max(map(len, LAUNCHING))
"""As wide as the widest status, so that nothing moves when it changes."""


def progress_table(members: Iterable[Member], now: datetime, width: int, *, title: str | None = None) -> Table:
    """A line per instance; long cells are cut off. With a `title` there is a header line, which begins with it.

    The step gets all the remaining room, since the reason of a delay may be long.
    """
    bar = 20 if width >= _ROOMY else 10
    table = Table(
        box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold", show_header=title is not None, expand=True
    )
    table.add_column(title or "", no_wrap=True, overflow="ellipsis", max_width=max(width // 5, 8))
    table.add_column("status", no_wrap=True, min_width=_STATUS)
    table.add_column(width=bar)
    table.add_column(no_wrap=True, justify="right", min_width=len("100 %"))
    table.add_column("step", no_wrap=True, overflow="ellipsis", ratio=1)
    heads = (*(("for",) if width >= NARROW else ()), "ready", *(("cost",) if width >= WIDE else ()))
    for head in (*heads, *(("zone",) if width >= _ROOMY else ())):
        table.add_column(head, no_wrap=True, overflow="ellipsis")
    for member in members:
        instance = member.instance
        cells: list[RenderableType] = [
            Text(instance.name),
            painted(instance),
            ProgressBar(
                100, instance.progress_percent, width=bar, complete_style=colour(instance.tone), finished_style="green"
            ),
            f"{instance.progress_percent} %",
            Text(first_line(instance.doing)),
        ]
        if width >= NARROW:
            cells.append(lasted((now - member.since).total_seconds()) if instance.launching else "")
        cells.append(_when(member, now, brief=width < WIDE))
        if width >= WIDE:
            cells.append(money(member.spent_until(now), instance.currency))
        if width >= _ROOMY:
            cells.append(Text(instance.place))
        table.add_row(*cells)
    return table


def first_line(text: str) -> str:
    return text.partition("\n")[0]


def _when(member: Member, now: datetime, *, brief: bool) -> str:
    if not member.instance.launching:
        return ""
    if member.instance.delay is not None:
        return next_try(member.instance.delay.next_try_at, now)
    if member.eta is None:
        return ""
    return soon(member.eta) if brief else briefly(member.eta)
