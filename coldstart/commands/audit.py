"""`coldstart audit`: who asked for what."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Annotated, Any

import typer
from rich.table import Table
from rich.text import Text

from coldstart.actors import who
from coldstart.commands.context import Json, api, non_empty, print_json, print_table, say
from coldstart.commands.durations import seconds
from coldstart.commands.naming import OfOrganization


def audit(
    *,
    types: Annotated[
        list[str] | None, typer.Option("--type", help="Only this, e.g. TerminationRequested; repeatable.")
    ] = None,
    actor: Annotated[
        str | None, typer.Option(help="Only by this key (its id or name) or service.", callback=non_empty)
    ] = None,
    subject: Annotated[
        str | None, typer.Option(help="Only what was done to this: its id or its name.", callback=non_empty)
    ] = None,
    organization: OfOrganization = None,
    since: Annotated[
        int | None, typer.Option(parser=seconds, metavar="TIME", help="Not before this long ago, e.g. 30m or 2h.")
    ] = None,
    until: Annotated[
        int | None, typer.Option(parser=seconds, metavar="TIME", help="Not after this long ago, e.g. 30m or 2h.")
    ] = None,
    limit: Annotated[int, typer.Option(min=1, help="At most so many, the newest.")] = 50,
    as_json: Json = False,
) -> None:
    """Show who asked for what, newest first."""
    query: dict[str, Any] = {"actor": actor, "subject": subject, "organization": organization}
    query |= {"type": types, "since": _ago(since), "until": _ago(until)}
    with api() as client:
        entries = list(islice(client.pages("/audit", **query), limit))
    if as_json:
        print_json(entries)
        return
    if not entries:
        say("Nothing was asked for, as far as these filters go.")
        return
    table = Table("time", "by", "what", "of", "", box=None, pad_edge=False)
    for entry in entries:
        by, of = entry["actor"], entry["subject"]
        asker, what = Text(who(by)), Text(f"{of['kind'].replace('_', ' ')} {of['name']}")
        at = datetime.fromisoformat(entry["at"]).astimezone().strftime("%Y-%m-%d %H:%M:%S")
        table.add_row(at, asker, Text(entry["type"]), what, Text(_details(entry["details"])))
    print_table(table)


def _ago(passed: int | None) -> str | None:
    return None if passed is None else (datetime.now(UTC) - timedelta(seconds=passed)).isoformat()


def _details(details: Mapping[str, Any]) -> str:
    """As `attempt: 2, model: …`."""
    return ", ".join(f"{name.replace('_', ' ')}: {_value(value)}" for name, value in details.items())


def _value(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)
