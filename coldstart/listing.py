"""Instances as a table: one line each on a wide terminal, else two, so that no id or model is cut off."""

from collections.abc import Iterable
from typing import Final

from rich.table import Table
from rich.text import Text

from coldstart.colours import painted
from coldstart.progress_table import first_line
from coldstart.waiting import briefly, next_try
from shared.description import InstanceView

WIDE: Final = 140
"""Terminal columns needed for one line per instance."""
_STATE_AT_LEAST: Final = 28
"""Room for every step; a failure's message takes as many lines as it needs."""
_STATE_AT_MOST: Final = 36


def listed(instances: Iterable[InstanceView], *, wide: bool) -> Table:
    return _wide(instances) if wide else _narrow(instances)


def _wide(instances: Iterable[InstanceView]) -> Table:
    heads = ("id", "name", "model", "type", "zone", "status", "progress", "step", "ready")
    table = Table(*heads, box=None, pad_edge=False)
    for instance in instances:
        table.add_row(
            str(instance.id)[:8],
            Text(instance.name),
            Text(instance.use),
            instance.instance_type,
            Text(instance.place),
            painted(instance),
            f"{instance.progress_percent} %",
            Text(first_line(instance.doing)),
            _when(instance),
        )
    return table


def _narrow(instances: Iterable[InstanceView]) -> Table:
    table = Table(box=None, pad_edge=False)
    table.add_column("id", no_wrap=True)
    table.add_column("name, model", overflow="fold")
    table.add_column("type, zone", no_wrap=True)
    table.add_column("status, step, ready", min_width=_STATE_AT_LEAST, max_width=_STATE_AT_MOST)
    for instance in instances:
        what = Text(f"{instance.name}\n{instance.use}")
        state = Text.assemble(painted(instance), f"\n{instance.progress_percent} % {instance.doing}".rstrip())
        if when := _when(instance):
            state.append(f"\n{when}")
        table.add_row(str(instance.id)[:8], what, Text(f"{instance.instance_type or ''}\n{instance.place}"), state)
    return table


def _when(instance: InstanceView) -> str:
    """When it will be ready, or what it waits for is tried next; empty if it is not starting."""
    if instance.delay is not None and instance.launching:
        return next_try(instance.delay.next_try_at, instance.as_of)
    return briefly(instance.eta) if instance.eta else ""
