"""`coldstart instances critical-path`: which steps of a launch the next one waited for."""

from typing import Annotated, Final

import typer
from rich.table import Table
from rich.text import Text

from coldstart.api_client import described
from coldstart.commands.context import Json, api, print_json, print_table, say
from coldstart.commands.naming import Instance, instance_id
from coldstart.waiting import lasted
from shared.lifecycle.critical_path import CriticalPath, Interval, LaunchOutcome

_TENTHS_UP_TO_S: Final = 10
_MOST: Final = 2**31 - 1


def critical_path(
    instance: Instance,
    *,
    attempt: Annotated[int, typer.Option(min=0, max=_MOST, help="Number of the attempt; 0 is the newest.")] = 0,
    as_json: Json = False,
) -> None:
    """Show which steps of a launch the next one waited for, and what the others had to spare."""
    with api() as client:
        found = client.get(f"/instances/{instance_id(client, instance)}/critical-path", attempt=attempt)
    if as_json:
        print_json(found)
        return
    path = described(CriticalPath, found)
    if path.intervals:
        print_table(_table(path))
    say(_summary(path))


def _table(path: CriticalPath) -> Table:
    table = Table("step", "began after", "took", "critical", box=None, pad_edge=False)
    for interval in path.intervals:
        began = (interval.began_at - path.began_at).total_seconds()
        table.add_row(Text(_named(interval)), _seconds(began), _took(interval), _critical(interval))
    return table


def _named(interval: Interval) -> str:
    again = interval.install_try is not None and interval.install_try > 1
    return f"{interval.label} (try {interval.install_try})" if again else interval.label


def _took(interval: Interval) -> str:
    took = _seconds(interval.seconds)
    return f"{took} so far" if interval.ended_at is None else took


def _critical(interval: Interval) -> str:
    return "yes" if interval.critical else f"no, {_seconds(interval.slack_seconds)} to spare"


def _summary(path: CriticalPath) -> str:
    took = _seconds(path.seconds)
    match path.outcome:
        case LaunchOutcome.READY:
            return f"Ready after {took}."
        case LaunchOutcome.STOPPED:
            return f"Stopped after {took}, before it was ready."
        case LaunchOutcome.RUNNING:
            return f"Under way for {took}. It waits for: {path.waits_for}."


def _seconds(seconds: float) -> str:
    """With tenths where they matter: 3.4 s, 42 s, 3 min 05 s."""
    return f"{seconds:.1f} s" if seconds < _TENTHS_UP_TO_S else lasted(seconds)
