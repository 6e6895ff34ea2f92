"""`coldstart webhooks`: addresses outside that get events."""

import re
import time
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Final

import typer
from rich.table import Table
from rich.text import Text

from coldstart.commands.asking import Yes, ask
from coldstart.commands.context import (
    Json,
    api,
    complain,
    each_non_empty,
    given,
    non_empty,
    print_json,
    print_table,
    say,
)
from coldstart.commands.durations import seconds
from coldstart.commands.naming import BEGINNING, webhook_id

app = typer.Typer(no_args_is_help=True, help="Addresses that get events as signed HTTP requests.")

TEST_S: Final = 30.0
"""Longer than the service waits for a receiver."""
_LOOK_S: Final = 0.25
_LAST: Final = 10

Webhook = Annotated[
    str,
    typer.Argument(help="The webhook's id from `coldstart webhooks list`, or its beginning.", callback=non_empty),
]
Events = Annotated[
    list[str] | None,
    typer.Option("--event", help="Send only events of this type; repeatable.", callback=each_non_empty),
]
Models = Annotated[
    list[str] | None,
    typer.Option("--model", help="Send only events of this model; repeatable.", callback=each_non_empty),
]


@app.command()
def create(
    url: Annotated[str, typer.Argument(help="Where to send events: an https:// address.", callback=non_empty)],
    *,
    events: Events = None,
    models: Models = None,
    of: Annotated[
        list[str] | None,
        typer.Option("--of", help="Of the installation's webhook: send only this organisation's events; repeatable."),
    ] = None,
    organization: Annotated[
        str | None, typer.Option(help="Owning organisation (slug). Default: the key's; for administrators, none.")
    ] = None,
    description: Annotated[str | None, typer.Option(help="What it is for.")] = None,
    as_json: Json = False,
) -> None:
    """Create a webhook. Its secret is shown only once."""
    body = given(
        url=url, events=events, models=models, organizations=of, organization=organization, description=description
    )
    with api() as client:
        made = client.post("/webhooks", body)
    if as_json:
        print_json(made)
    else:
        say(f"{made['id']}  {made['url']}")
        say(made["secret"])


@app.command("list")
def list_(as_json: Json = False) -> None:
    """List webhooks."""
    with api() as client:
        webhooks = list(client.pages("/webhooks"))
    if as_json:
        print_json(webhooks)
        return
    table = Table("id", "url", "owner", "status", "waiting", "gets", box=None, pad_edge=False)
    for one in webhooks:
        what = (one["id"][:BEGINNING], Text(one["url"]), one["organization"] or "", _status(one), str(one["waiting"]))
        table.add_row(*what, Text(_filters(one)))
    print_table(table)


@app.command()
def show(webhook: Webhook, *, as_json: Json = False) -> None:
    """Show a webhook and its last deliveries."""
    with api() as client:
        at = f"/webhooks/{webhook_id(client, webhook)}"
        found, last = client.get(at), client.get(f"{at}/deliveries", limit=str(_LAST))["items"]
    if as_json:
        print_json({**found, "deliveries": last})
        return
    say(f"{found['id']}  {found['url']}")
    about = (found["description"], _status(found), _filters(found), f"{found['waiting']} waiting")
    say(", ".join(part for part in about if part))
    table = Table("at", "event", "place", "state", "tries", "answer", "next try", box=None, pad_edge=False)
    for one in last:
        place, next_try = str(one["sequence"] or one["kind"]), (one["next_try_at"] or "")[:19]
        answer = Text(one["reason"] or str(one["status"] or ""))
        table.add_row(one["created_at"][:19], one["type"], place, one["state"], str(one["tries"]), answer, next_try)
    print_table(table)


@app.command("test")
def send_test(webhook: Webhook, *, as_json: Json = False) -> None:
    """Send a test message, and say what came of it; exits with 1 if it was not delivered."""
    with api() as client:
        at = f"/webhooks/{webhook_id(client, webhook)}"
        sent = client.post(f"{at}/test", {})
        until = time.monotonic() + TEST_S
        while sent["state"] == "pending" and time.monotonic() < until:
            time.sleep(_LOOK_S)
            listed = client.get(f"{at}/deliveries", limit="50")["items"]
            sent = next((one for one in listed if one["id"] == sent["id"]), sent)
    if as_json:
        print_json(sent)
    elif sent["state"] == "delivered":
        say(f"delivered: it answered {sent['status']}")
    elif sent["state"] == "undelivered":
        complain(f"Not delivered: {sent['reason']}.")
    else:
        complain("It still waits to be sent; does the service webhooks run?")
    if sent["state"] != "delivered":
        raise typer.Exit(1)


@app.command()
def replay(
    webhook: Webhook,
    *,
    begin: Annotated[
        str,
        typer.Option(
            "--from",
            metavar="PLACE|TIME",
            help="Begin at this place in the stream (1042), this long ago (2h), or at a time (2026-01-31T09:30:00Z).",
        ),
    ],
    as_json: Json = False,
) -> None:
    """Send past events again, with the ids that they had."""
    body = _beginning(begin)
    with api() as client:
        asked = client.post(f"/webhooks/{webhook_id(client, webhook)}/replay", body)
    if as_json:
        print_json(asked)
    elif asked["from_sequence"] > asked["through_sequence"]:
        say("There are no events since then.")
    else:
        say(f"Events {asked['from_sequence']} to {asked['through_sequence']} are sent again.")


@app.command()
def rotate(webhook: Webhook, *, as_json: Json = False) -> None:
    """Make a new secret, which is shown only once; the former one counts for another 24 hours."""
    with api() as client:
        rotated = client.post(f"/webhooks/{webhook_id(client, webhook)}/rotate-secret", {})
    if as_json:
        print_json(rotated)
    else:
        say(rotated["secret"])


@app.command("on")
def switch_on(webhook: Webhook, *, as_json: Json = False) -> None:
    """Switch a webhook on: it gets what is recorded from now on."""
    _switch(webhook, enabled=True, as_json=as_json)


@app.command("off")
def switch_off(webhook: Webhook, *, as_json: Json = False) -> None:
    """Switch a webhook off: it gets nothing until it is switched on."""
    _switch(webhook, enabled=False, as_json=as_json)


@app.command()
def delete(webhook: Webhook, *, yes: Yes = False) -> None:
    """Delete a webhook, with the messages that it was yet to get."""
    with api() as client:
        deleted = webhook_id(client, webhook)
        ask(f"Delete {deleted}?", "It gets nothing more, and its secret is gone.", yes=yes)
        client.delete(f"/webhooks/{deleted}")
    say(f"{deleted}  deleted")


def _switch(webhook: str, *, enabled: bool, as_json: bool) -> None:
    with api() as client:
        changed = client.patch(f"/webhooks/{webhook_id(client, webhook)}", {"enabled": enabled})
    if as_json:
        print_json(changed)
    else:
        say(f"{changed['id']}  {_status(changed)}")


def _beginning(typed: str) -> dict[str, Any]:
    """The body of a replay. Raises typer.BadParameter."""
    if re.fullmatch(r"[0-9]{1,18}", typed):
        return {"from_sequence": max(1, int(typed))}
    try:
        at = datetime.fromisoformat(typed)
    except ValueError:
        at = datetime.now(UTC) - timedelta(seconds=seconds(typed))
    if at.tzinfo is None:
        raise typer.BadParameter(f"{typed!r} needs an offset, as in {typed}Z.", param_hint="--from")
    return {"from_time": at.isoformat()}


def _status(webhook: Mapping[str, Any]) -> str:
    """E.g. `failing since 2026-01-01T12:00:00`."""
    if webhook["status"] == "failing":
        return f"failing since {webhook['failing_since'][:19]}"
    if webhook["status"] == "off":
        return f"off ({webhook['switched_off']})"
    return str(webhook["status"])


def _filters(webhook: Mapping[str, Any]) -> str:
    """E.g. `InstanceReady, of Qwen/Qwen2.5-0.5B-Instruct`."""
    chosen = " ".join(webhook["events"] or ())
    models, organizations = " ".join(webhook["models"] or ()), " ".join(webhook["organizations"] or ())
    return ", ".join(part for part in (chosen or "all events", models and f"of {models}", organizations) if part)
