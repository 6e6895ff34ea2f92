"""`coldstart deployments --backtest`: days of requests played against the scaler and against other policies."""

import csv
from collections.abc import Sequence
from pathlib import Path

import typer
from rich.table import Table

from coldstart.commands.context import api, print_json, print_table, say
from coldstart.simulated_launches import simulated_launches
from shared.deployments.backtest import CAPACITY, HOLD_S, Outcome
from shared.deployments.policies import compared
from shared.deployments.traces import Trace, recorded, simulated
from shared.eta.launch import Launch

_LAUNCHES = 40


def backtest(*, arrivals: Path | None, own_launches: bool, seed: int, as_json: bool) -> None:
    """Takes about twenty seconds for each trace."""
    cold_starts = _own_launches() if own_launches else [each.seconds for each in simulated_launches(_LAUNCHES, seed)]
    traces = simulated(seed) if arrivals is None else [_read(arrivals)]
    outcomes = [outcome for trace in traces for outcome in compared(trace, cold_starts, seed)]
    if as_json:
        print_json([outcome.model_dump() for outcome in outcomes])
        return
    print_table(_table(outcomes))
    mean = sum(cold_starts) / len(cold_starts)
    say(f"Cold starts of {len(cold_starts)} launches, {mean:.0f} s on average. A replica runs {CAPACITY} requests.")
    say(f"Waits are of all requests, at most {HOLD_S} s: then one is refused.")


def _own_launches() -> list[float]:
    with api() as client:
        seconds = [Launch.model_validate(item).seconds for item in client.pages("/launches")]
    if not seconds:
        raise typer.BadParameter("no launch has become ready yet.", param_hint="--own-launches")
    return seconds


def _read(path: Path) -> Trace:
    try:
        with path.open(newline="") as rows:
            return recorded(csv.reader(rows))
    except (ValueError, UnicodeDecodeError, csv.Error) as error:
        says = f"{path} has a row that is not two numbers, the second of arrival and the seconds it runs: {error}."
        raise typer.BadParameter(says, param_hint="--csv") from None


def _table(outcomes: Sequence[Outcome]) -> Table:
    table = Table("trace", "policy", box=None, pad_edge=False)
    for name in ("GPU-hours", "requests", "waited", "refused", "p50", "p95", "p99"):
        table.add_column(name, justify="right")
    for each in outcomes:
        counts = (f"{each.gpu_hours:.1f}", str(each.requests), str(each.waited), str(each.refused))
        waits = (f"{wait:.0f} s" for wait in (each.p50_s, each.p95_s, each.p99_s))
        table.add_row(each.trace, each.policy, *counts, *waits)
    return table
