"""`coldstart resolve`: what a model's name means to this key, and which instances and deployments would answer."""

from typing import Annotated, Any

import typer
from rich.table import Table
from rich.text import Text

from coldstart.colours import colour_of
from coldstart.commands.context import Json, api, complain, non_empty, print_json, print_table, say
from shared.lifecycle.status import Status
from shared.lifecycle.words import NAMES


def resolve(
    model: Annotated[str, typer.Argument(help="The name, as in a request under /v1.", callback=non_empty)],
    as_json: Json = False,
) -> None:
    """Show what a model's name means to this key, and what would answer or wake; exit status 1 if nothing."""
    with api() as client:
        explained = client.get("/models/resolve", model=model)
    if as_json:
        print_json(explained)
    elif explained["rule"] is None:
        complain(f"{model!r} means nothing to this key. {explained['detail']}")
    else:
        say(f"{model} means {explained['model']}. {explained['detail']}")
        _say_who(explained["instances"])
        _say_what_wakes(explained)
    if explained["rule"] is None:
        raise typer.Exit(1)


def _say_who(instances: list[dict[str, Any]]) -> None:
    eligible = [one for one in instances if one["eligible"]]
    if not eligible:
        say("No instance would answer now.")
    if not instances:
        return
    table = Table("id", "name", "status", "in flight", "answers", "why", box=None, pad_edge=False)
    for one in sorted(instances, key=lambda each: not each["eligible"]):
        status = Status(one["status"])
        in_words = Text(NAMES[status], colour_of(status))
        who = (one["id"][:8], Text(one["name"]), in_words, str(one["in_flight"]))
        table.add_row(*who, "yes" if one["eligible"] else "no", Text(one["reason"]))
    print_table(table)


def _say_what_wakes(explained: dict[str, Any]) -> None:
    for one in explained["deployments"]:
        say(f"Deployment {one['name']} {'wakes' if one['wakes'] else 'does not wake'}: {one['reason']}.")
    if explained["fallback"] is not None:
        say(f"While no instance is ready, {explained['fallback']} answers.")
