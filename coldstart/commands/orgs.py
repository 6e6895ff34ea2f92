"""`coldstart orgs`: the teams that share this installation, their limits, and their names for models."""

from enum import StrEnum
from typing import Annotated, Any

import typer
from rich.table import Table
from rich.text import Text

from coldstart.commands.asking import Yes, ask
from coldstart.commands.changes import changes
from coldstart.commands.context import Json, api, given, name_in_address, non_empty, print_json, print_table, say

app = typer.Typer(no_args_is_help=True, help="The teams that share this installation.")
offerings = typer.Typer(no_args_is_help=True, help="An organisation's own names for models.")
app.add_typer(offerings, name="offerings")


class AtLimit(StrEnum):
    WARN = "warn"
    DRAIN = "drain"


class Limit(StrEnum):
    MAX_INSTANCES = "max-instances"
    SPEND_PER_HOUR = "spend-per-hour"
    SPEND_PER_MONTH = "spend-per-month"


Slug = Annotated[
    str,
    typer.Argument(
        help="The organisation's slug: the part before the slash in its offerings' names.", callback=name_in_address
    ),
]
Code = Annotated[str, typer.Argument(help="The part after the slash in the offering's name.", callback=name_in_address)]
Name = Annotated[str | None, typer.Option(help="A name for people.", callback=non_empty)]
MaxInstances = Annotated[int | None, typer.Option(min=0, help="At most this many instances at once.")]
PerHour = Annotated[
    float | None, typer.Option(min=0, help="Refuse launches past this cost per hour, in the currency of the prices.")
]
PerMonth = Annotated[float | None, typer.Option(min=0, help="Refuse launches once this is spent in a month (UTC).")]
WhenReached = Annotated[AtLimit | None, typer.Option(help="What happens to running instances at a spending limit.")]


@app.command("list")
def list_(as_json: Json = False) -> None:
    """List organisations and their limits, newest first."""
    with api() as client:
        found = list(client.pages("/organizations"))
    if as_json:
        print_json(found)
        return
    table = Table("slug", "name", "instances", "per hour", "per month", "at limit", box=None, pad_edge=False)
    for one in found:
        limits = (one["max_instances"], one["spend_per_hour"], one["spend_per_month"])
        shown = ("" if limit is None else f"{limit:g}" for limit in limits)
        table.add_row(one["slug"], Text(one["name"]), *shown, one["at_limit"])
    print_table(table)


@app.command()
def create(
    slug: Slug,
    *,
    name: Name = None,
    max_instances: MaxInstances = None,
    spend_per_hour: PerHour = None,
    spend_per_month: PerMonth = None,
    at_limit: WhenReached = None,
    insist: Annotated[
        bool, typer.Option("--insist", help="Even if the slug is a name on the hub, or the hub does not answer.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Create an organisation."""
    body = given(
        slug=slug,
        name=name,
        max_instances=max_instances,
        spend_per_hour=spend_per_hour,
        spend_per_month=spend_per_month,
        at_limit=at_limit,
        insist=insist or None,
    )
    with api() as client:
        made = client.post("/organizations", body)
    _say(made, f"{slug}  made", as_json=as_json)


@app.command()
def update(
    slug: Slug,
    *,
    name: Name = None,
    max_instances: MaxInstances = None,
    spend_per_hour: PerHour = None,
    spend_per_month: PerMonth = None,
    at_limit: WhenReached = None,
    unlimited: Annotated[list[Limit] | None, typer.Option(help="Remove this limit; repeatable.")] = None,
    as_json: Json = False,
) -> None:
    """Change an organisation's name or limits. Anything that is not named stays."""
    body = changes(
        unlimited,
        name=name,
        max_instances=max_instances,
        spend_per_hour=spend_per_hour,
        spend_per_month=spend_per_month,
        at_limit=at_limit,
    )
    with api() as client:
        changed = client.patch(f"/organizations/{slug}", body)
    _say(changed, f"{slug}  changed", as_json=as_json)


@app.command()
def delete(slug: Slug, *, yes: Yes = False) -> None:
    """Delete an organisation without instances, with its keys and offerings."""
    words = "Its keys are refused from now on, and its offerings are deleted. This cannot be undone."
    ask(f"Delete {slug}?", words, yes=yes)
    with api() as client:
        client.delete(f"/organizations/{slug}")
    say(f"{slug}  deleted")


@offerings.command("list")
def list_offerings(slug: Slug, as_json: Json = False) -> None:
    """List an organisation's names for models."""
    with api() as client:
        found = list(client.pages(f"/organizations/{slug}/offerings"))
    if as_json:
        print_json(found)
        return
    table = Table("name", "model", "", box=None, pad_edge=False)
    for one in found:
        table.add_row(one["name"], one["model"], one["detail"] or ("" if one["active"] else "inactive"))
    print_table(table)


@offerings.command("add")
def add_offering(
    slug: Slug,
    code: Code,
    model: Annotated[str, typer.Argument(help="A model id on the Hugging Face hub.", callback=non_empty)],
    *,
    inactive: Annotated[bool, typer.Option("--inactive", help="Do not serve it yet.")] = False,
    as_json: Json = False,
) -> None:
    """Give a model a name of the organisation."""
    body = {"code": code, "model": model, "active": not inactive}
    with api() as client:
        made = client.post(f"/organizations/{slug}/offerings", body)
    _say(made, f"{made['name']}  {model}", as_json=as_json)


@offerings.command("update")
def update_offering(
    slug: Slug,
    code: Code,
    *,
    model: Annotated[str | None, typer.Option(help="Serve this model instead.", callback=non_empty)] = None,
    active: Annotated[bool | None, typer.Option("--active/--inactive", help="Serve it, or pause it.")] = None,
    as_json: Json = False,
) -> None:
    """Switch an offering on or off, or change its model."""
    body = changes(model=model, active=active)
    with api() as client:
        changed = client.patch(f"/organizations/{slug}/offerings/{code}", body)
    state = "active" if changed["active"] else "inactive"
    _say(changed, f"{changed['name']}  {changed['model']}  {state}", as_json=as_json)


@offerings.command("remove")
def remove_offering(slug: Slug, code: Code, *, yes: Yes = False) -> None:
    """Remove an offering."""
    name = f"{slug}/{code}"
    words = f"Requests for {name} are then answered with 404. The model itself stays."
    ask(f"Delete {name}?", words, yes=yes)
    with api() as client:
        client.delete(f"/organizations/{slug}/offerings/{code}")
    say(f"{slug}/{code}  removed")


def _say(made: dict[str, Any], line: str, *, as_json: bool) -> None:
    if as_json:
        print_json(made)
    else:
        say(line)
