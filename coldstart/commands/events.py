"""`coldstart events`: the stream of everything that happens."""

from datetime import datetime
from typing import Annotated

import typer

from coldstart.commands.context import Json, api, non_empty, print_json, say
from coldstart.commands.naming import instance_id

app = typer.Typer(no_args_is_help=True, help="Everything that happens, as it happens.")


@app.command()
def tail(
    types: Annotated[
        list[str] | None, typer.Option("--type", help="Only events of this type; may be repeated.")
    ] = None,
    instance: Annotated[
        str | None,
        typer.Option(help="Only events of this instance: its id, a beginning of it, or its name.", callback=non_empty),
    ] = None,
    as_json: Json = False,
) -> None:
    """Print events as they are recorded, until Ctrl-C."""
    with api() as client:
        path = f"/instances/{instance_id(client, instance)}/events" if instance else "/events"
        for event in client.events(path):
            if types and event["type"] not in types:
                continue
            if as_json:
                print_json(event)
                continue
            after = event["data"]["instance"]
            at = datetime.fromisoformat(event["time"]).astimezone().strftime("%H:%M:%S.%f")[:12]
            where = f"{after['status']:<12} {after['progress_percent']:>3} %"
            say(f"{at}  {event['subject'][:8]}  {event['type']:<24} {where}")
