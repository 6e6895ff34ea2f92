"""`coldstart instances`: create, look at, and end instances."""

from typing import Annotated, Any
from uuid import UUID, uuid4

import typer
from rich.table import Table

from coldstart.api_client import Api, ApiProblem
from coldstart.commands.context import Json, api, err, out, print_json
from coldstart.watching import COLOURS, label, watch
from shared.lifecycle.status import Status

app = typer.Typer(no_args_is_help=True, help="Create, look at, and end instances.")

Instance = Annotated[str, typer.Argument(help="The instance: its id, a unique beginning of it, or its name.")]


@app.command()
def create(
    model: Annotated[str, typer.Argument(help="A model id of the Hugging Face hub, as Qwen/Qwen2.5-0.5B-Instruct.")],
    *,
    types: Annotated[list[str], typer.Option("--type", help="Instance type; again for the next choice.")],
    zones: Annotated[list[str] | None, typer.Option("--zone", help="Zone; again for the next choice.")] = None,
    name: Annotated[str | None, typer.Option(help="Defaults to the model's.")] = None,
    volume_gb: Annotated[int | None, typer.Option(help="Size of the boot volume, in GB.")] = None,
    image: Annotated[str | None, typer.Option(help="The vLLM image to run.")] = None,
    keep_for_inspection: Annotated[
        bool, typer.Option(help="Leave the server standing if starting it up fails.")
    ] = False,
    watching: Annotated[bool, typer.Option("--watch", help="Follow it until it is ready or failed.")] = False,
    as_json: Json = False,
) -> None:
    """Ask for an instance that serves MODEL."""
    wanted = {
        "model": model,
        "instance_types": types,
        "zones": zones,
        "name": name,
        "volume_gb": volume_gb,
        "image": image,
        "keep_for_inspection": keep_for_inspection or None,
    }
    body = {field: value for field, value in wanted.items() if value is not None}
    with api() as client:
        instance = client.post("/instances", body, **{"Idempotency-Key": str(uuid4())})
        if as_json:
            print_json(instance)
        else:
            out.print(f"{instance['id']}  {instance['name']}  {instance['status']}", highlight=False)
        if watching:
            _follow(client, instance)


@app.command("list")
def list_(
    status: Annotated[Status | None, typer.Option(help="Only those in this status.")] = None,
    model: Annotated[str | None, typer.Option(help="Only those of this model.")] = None,
    as_json: Json = False,
) -> None:
    """List instances, newest first."""
    with api() as client:
        instances = list(client.pages("/instances", status=status, model=model))
    if as_json:
        print_json(instances)
        return
    table = Table("id", "name", "model", "type", "status", "progress", "step", box=None, pad_edge=False)
    for instance in instances:
        table.add_row(
            instance["id"][:8],
            instance["name"],
            instance["model"],
            instance["instance_type"],
            f"[{COLOURS.get(Status(instance['status']), 'cyan')}]{instance['status']}",
            f"{instance['progress_percent']} %",
            label(instance["step"]),
        )
    out.print(table)


@app.command()
def show(instance: Instance, as_json: Json = False) -> None:
    """Show one instance."""
    with api() as client:
        found = client.get(f"/instances/{_id(client, instance)}")
    if as_json:
        print_json(found)
        return
    table = Table(box=None, show_header=False, pad_edge=False)
    for name, value in found.items():
        shown = f"{value['code']}: {value['message']}" if isinstance(value, dict) else value
        table.add_row(name, "" if shown is None else str(shown))
    out.print(table, highlight=False, markup=False)


@app.command("watch")
def watch_(instance: Instance) -> None:
    """Follow an instance until it is ready, failed or gone; exit status 1 unless it became ready."""
    with api() as client:
        _follow(client, client.get(f"/instances/{_id(client, instance)}"))


@app.command()
def timeline(instance: Instance, as_json: Json = False) -> None:
    """Show everything that happened to an instance."""
    with api() as client:
        rows = list(client.pages(f"/instances/{_id(client, instance)}/timeline"))
    if as_json:
        print_json(rows)
        return
    table = Table("#", "time", "by", "event", "status", "progress", box=None, pad_edge=False)
    for row in rows:
        at = row["occurred_at"][11:23]
        table.add_row(str(row["version"]), at, row["actor"], row["type"], row["status"], f"{row['progress_percent']} %")
    out.print(table)


@app.command()
def drain(instance: Instance, as_json: Json = False) -> None:
    """Let running requests end, then terminate."""
    _ask(instance, "drain", as_json=as_json)


@app.command()
def reinstall(instance: Instance, as_json: Json = False) -> None:
    """Install the worker again on the same server."""
    _ask(instance, "reinstall", as_json=as_json)


@app.command()
def archive(instance: Instance, as_json: Json = False) -> None:
    """Put an ended instance away."""
    _ask(instance, "archive", as_json=as_json)


@app.command()
def terminate(instance: Instance, as_json: Json = False) -> None:
    """End an instance and delete everything of it at the provider."""
    with api() as client:
        _say(client.delete(f"/instances/{_id(client, instance)}"), as_json=as_json)


def _ask(instance: str, verb: str, *, as_json: bool) -> None:
    with api() as client:
        _say(client.post(f"/instances/{_id(client, instance)}/{verb}"), as_json=as_json)


def _say(instance: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        print_json(instance)
    else:
        out.print(f"{instance['id']}  {instance['name']}  {instance['status']}", highlight=False)


def _follow(client: Api, instance: dict[str, Any]) -> None:
    events = client.events(f"/instances/{instance['id']}/events", **{"from": "start"})
    journey = watch(out, events, title=instance["name"])
    if journey.instance["status"] != Status.READY:
        error = journey.instance.get("error")
        err.print(f"{error['code']}: {error['message']}" if error else journey.instance["status"], style="red")
        raise typer.Exit(1)


def _id(client: Api, instance: str) -> str:
    """Raises ApiProblem when nothing, or more than one, is meant."""
    try:
        return str(UUID(instance))
    except ValueError:
        pass
    meant = [
        item["id"]
        for item in client.pages("/instances")
        if item["id"].startswith(instance.lower()) or item["name"] == instance
    ]
    if len(meant) != 1:
        raise ApiProblem(f"{len(meant) or 'no'} instances are called {instance!r}; see 'coldstart instances list'.")
    return str(meant[0])
