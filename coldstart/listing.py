"""Instances as a table: a line each where there is room, else two, so that no id or model is ever cut off."""

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any, Final

from rich.table import Table
from rich.text import Text

from coldstart.colours import painted
from coldstart.fleet import Member
from coldstart.progress_table import first_line
from coldstart.waiting import briefly

WIDE: Final = 140
"""Columns of a terminal that have room for a line per instance."""
_STATE_AT_LEAST: Final = 28
"""Room for every step; what a failure says takes as many lines as it needs."""
_STATE_AT_MOST: Final = 36


def listed(instances: Iterable[dict[str, Any]], *, wide: bool) -> Table:
    """Raises ValueError for a status that this version does not know."""
    now = datetime.now(UTC)
    members = [Member.of_row(instance, now) for instance in instances]
    return _wide(members) if wide else _narrow(members)


def _wide(members: Iterable[Member]) -> Table:
    heads = ("id", "name", "model", "type", "zone", "status", "progress", "step", "ready")
    table = Table(*heads, box=None, pad_edge=False)
    for member in members:
        table.add_row(
            member.id[:8],
            Text(member.name),
            Text(member.model),
            member.instance_type,
            Text(member.zone),
            painted(member.status),
            f"{member.progress} %",
            Text(first_line(member.doing)),
            briefly(member.eta) if member.eta else "",
        )
    return table


def _narrow(members: Iterable[Member]) -> Table:
    table = Table(box=None, pad_edge=False)
    table.add_column("id", no_wrap=True)
    table.add_column("name, model", overflow="fold")
    table.add_column("type, zone", no_wrap=True)
    table.add_column("status, step, ready", min_width=_STATE_AT_LEAST, max_width=_STATE_AT_MOST)
    for member in members:
        what = Text(f"{member.name}\n{member.model}")
        state = Text.assemble(painted(member.status), f"\n{member.progress} % {member.doing}".rstrip())
        if member.eta:
            state.append(f"\n{briefly(member.eta)}")
        table.add_row(member.id[:8], what, Text(f"{member.instance_type or ''}\n{member.zone}"), state)
    return table
