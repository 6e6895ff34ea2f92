"""`coldstart eta`: when starting instances will be ready, and how good such estimates are."""

from collections.abc import Iterable, Sequence
from typing import Annotated, Final

import typer
from rich.table import Table
from rich.text import Text

from coldstart.api_client import described
from coldstart.commands.context import Json, api, print_json, print_table, say
from coldstart.progress_table import first_line
from coldstart.simulated_launches import simulated_launches
from coldstart.waiting import expected, next_try
from shared.description import InstanceView
from shared.eta.backtest import Score, after_change, backtest
from shared.eta.estimate import LAUNCHING
from shared.eta.history import Basis, Group
from shared.eta.launch import Launch

_GROUPS: Final = {
    Group.MODEL: "of this model on this type",
    Group.INSTANCE_TYPE: "on this type",
    Group.PROVIDER: "at this provider",
    Group.ALL: "of any kind",
    Group.BUILT_IN: "built-in assumptions",
}


def eta(
    *,
    replay: Annotated[
        bool, typer.Option("--backtest", help="Replay past launches and show how good the estimates would have been.")
    ] = False,
    launches: Annotated[
        int | None,
        typer.Option(
            min=1, max=100_000, help="With --backtest: use this many simulated launches instead of real ones."
        ),
    ] = None,
    seed: Annotated[int, typer.Option(help="Seed of the simulated launches.")] = 1,
    faster: Annotated[
        bool,
        typer.Option(
            "--faster",
            help="With --launches: from the middle on, machines begin with Docker and the image. Show how soon that is "
            "believed.",
        ),
    ] = False,
    as_json: Json = False,
) -> None:
    """Show when each starting instance will be ready."""
    if launches is not None and not replay:
        raise typer.BadParameter("use it with --backtest only.", param_hint="--launches")
    if faster and launches is None:
        raise typer.BadParameter("use it with --launches only.", param_hint="--faster")
    if not replay:
        _waited_for(as_json=as_json)
    elif launches is not None and faster:
        _followed(list(simulated_launches(launches, seed, faster_from=launches // 2)), as_json=as_json)
    elif launches is not None:
        _scored(simulated_launches(launches, seed), as_json=as_json)
    else:
        with api() as client:
            past = [Launch.model_validate(item) for item in client.pages("/launches")]
        _scored(past, as_json=as_json)


def _waited_for(*, as_json: bool) -> None:
    with api() as client:
        rows = [row for row in client.pages("/instances", status=sorted(LAUNCHING)) if row["eta"] or row["delay"]]
    if as_json:
        print_json([{"instance_id": row["id"], "eta": row["eta"], "delay": row["delay"]} for row in rows])
        return
    if not rows:
        say("No instance is starting.")
        return
    table = Table("id", "name", "step", "ready", "from", box=None, pad_edge=False)
    for instance in (described(InstanceView, row) for row in rows):
        if instance.delay is not None:
            when = next_try(instance.delay.next_try_at, instance.as_of)
            table.add_row(str(instance.id)[:8], instance.name, Text(first_line(instance.where)), when, "")
        elif instance.eta is not None:
            when = expected(instance.eta).removeprefix("ready ")
            table.add_row(str(instance.id)[:8], instance.name, instance.step_label, when, _basis(instance.eta.basis))
    print_table(table)


def _basis(basis: Basis) -> str:
    group = _GROUPS[basis.group]
    return f"{basis.launches} launches {group}" if basis.launches else group


def _scored(launches: Iterable[Launch], *, as_json: bool) -> None:
    scores = backtest(launches)
    if as_json:
        print_json([score._asdict() for score in scores])
    elif not scores:
        say("No launch has become ready yet.")
    else:
        print_table(_table(scores))


def _followed(launches: Sequence[Launch], *, as_json: bool) -> None:
    """The change is in the middle of the launches."""
    rows = after_change(launches, len(launches) // 2)
    if as_json:
        print_json([row._asdict() for row in rows])
        return
    table = Table("since the change", "launches", "p50's error, of the whole launch", box=None, pad_edge=False)
    for row in rows:
        number = f"number {row.number}" if row is not rows[-1] else f"number {row.number} and later"
        table.add_row(number, str(row.launches), f"{row.error:.1%}")
    print_table(table)


def _table(scores: Iterable[Score]) -> Table:
    """Errors are medians of |expected by the p50 - actual|."""
    columns = ("asked after", "launches", "p50's error, of the whole launch", "of what remained", "p90 held")
    table = Table(*columns, box=None, pad_edge=False)
    for score in scores:
        table.add_row(
            f"{score.moment:.0%} of a launch",
            str(score.launches),
            f"{score.error_of_total:.1%}",
            f"{score.error_of_remaining:.1%}",
            f"{score.held:.1%}",
        )
    return table
