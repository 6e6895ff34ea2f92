"""Instances as a table: a line each where there is room, else two, so that no id or model is ever cut off."""

from collections.abc import Iterable
from typing import Any, Final

from rich.table import Table
from rich.text import Text

from coldstart.colours import painted
from coldstart.waiting import briefly
from shared.lifecycle.progress import label

WIDE: Final = 140
"""Columns of a terminal that have room for a line per instance."""


def listed(instances: Iterable[dict[str, Any]], *, wide: bool) -> Table:
    """Raises ValueError for a status that this version does not know."""
    return _wide(instances) if wide else _narrow(instances)


def _wide(instances: Iterable[dict[str, Any]]) -> Table:
    table = Table("id", "name", "model", "type", "status", "progress", "step", "ready", box=None, pad_edge=False)
    for item in instances:
        table.add_row(
            item["id"][:8],
            item["name"],
            item["model"],
            item["instance_type"],
            painted(item["status"]),
            f"{item['progress_percent']} %",
            label(item["step"]),
            briefly(item["eta"]) if item["eta"] else "",
        )
    return table


def _narrow(instances: Iterable[dict[str, Any]]) -> Table:
    table = Table(box=None, pad_edge=False)
    table.add_column("id", no_wrap=True)
    table.add_column("name, model", overflow="fold")
    table.add_column("type", no_wrap=True)
    table.add_column("status, step, ready", no_wrap=True)
    for item in instances:
        what = Text(f"{item['name']}\n{item['model']}")
        where = Text.assemble(painted(item["status"]), f"\n{item['progress_percent']} % {label(item['step'])}")
        if item["eta"]:
            where.append(f"\n{briefly(item['eta'])}")
        table.add_row(item["id"][:8], what, item["instance_type"], where)
    return table
