"""`coldstart instances`: create, look at, and end instances."""

from typing import Annotated, Any, Final
from uuid import UUID, uuid4

import typer
from rich.table import Table
from rich.text import Text

from coldstart.actors import who
from coldstart.api_client import Api, ApiProblem, described
from coldstart.commands.asking import Yes, ask
from coldstart.commands.completing import instance_names, model_names
from coldstart.commands.context import (
    Json,
    api,
    each_non_empty,
    given,
    non_empty,
    note,
    out,
    print_json,
    print_table,
    say,
    warn,
)
from coldstart.commands.critical_path import critical_path
from coldstart.commands.durations import seconds
from coldstart.commands.following import endpoint_of, follow, follow_all, follow_many, saying_on_ctrl_c
from coldstart.commands.logs import logs
from coldstart.commands.naming import Instance, OfOrganization, instance_id
from coldstart.commands.wrong_fields import told_by_option
from coldstart.fleet import Fleet
from coldstart.how_to_call import program
from coldstart.instance_page import page
from coldstart.listing import WIDE, listed
from shared.description import InstanceView, NewInstance
from shared.lifecycle.decide import Intent
from shared.lifecycle.status import Status
from shared.lifecycle.words import CONSEQUENCES, NAMES

_OPTIONS: Final = {"model": "MODEL", "instance_types": "--type", "zones": "--zone", "vllm_args": "--vllm-arg"}
_SIMULATED: Final = "No machine is rented, and answers are made up."
_SIMULATED_HUB: Final = "Machines are real and cost money."
_PERHAPS: Final = "The request may have been accepted: check with {} instances list."
Watching = Annotated[bool, typer.Option("--watch", help="Watch it until it is ready or has failed.")]
app = typer.Typer(no_args_is_help=True, help="Create, look at, and end instances.")
app.command("critical-path")(critical_path)


@app.command()
def create(  # noqa: PLR0913 - each option is an argument
    model: Annotated[
        str,
        typer.Argument(
            help="A model id on the Hugging Face hub, e.g. Qwen/Qwen2.5-0.5B-Instruct.",
            callback=non_empty,
            autocompletion=model_names,
        ),
    ],
    *,
    types: Annotated[
        list[str] | None,
        typer.Option("--type", help="Instance type; repeat for further choices. Default: the cheapest that fits."),
    ] = None,
    zones: Annotated[list[str] | None, typer.Option("--zone", help="Zone; repeat for further choices.")] = None,
    task: Annotated[
        str | None, typer.Option(help="What the model is for: generate or embed. Default: as the hub says.")
    ] = None,
    name: Annotated[str | None, typer.Option(help="A name for people. Default: the model's.")] = None,
    organization: Annotated[
        str | None, typer.Option(help="Owning organisation (slug). Default: the key's; for administrators, shared.")
    ] = None,
    provider: Annotated[str | None, typer.Option(help="Default: scaleway, or the only one.")] = None,
    volume_gb: Annotated[int | None, typer.Option(help="Size of the boot volume, in GB.")] = None,
    image: Annotated[str | None, typer.Option(help="The vLLM image to run. Default: the configured one.")] = None,
    revision: Annotated[str | None, typer.Option(help="Branch, tag or commit of the model on the hub.")] = None,
    vllm_args: Annotated[
        list[str] | None, typer.Option("--vllm-arg", help="An option of vLLM, e.g. --max-model-len=8192; repeatable.")
    ] = None,
    max_lifetime: Annotated[
        int | None, typer.Option(parser=seconds, metavar="TIME", help="Terminate after this long, e.g. 8h.")
    ] = None,
    idle_shutdown: Annotated[
        int | None, typer.Option(parser=seconds, metavar="TIME", help="Drain when unused for this long, e.g. 30m.")
    ] = None,
    keep_for_inspection: Annotated[
        bool, typer.Option("--keep-for-inspection", help="Keep the server if it fails to start.")
    ] = False,
    watching: Watching = False,
    as_json: Json = False,
) -> None:
    """Create an instance that serves MODEL."""
    body = given(
        model=model,
        instance_types=types,
        zones=zones,
        task=task,
        name=name,
        organization=organization,
        provider=provider,
        volume_gb=volume_gb,
        image=image,
        revision=revision,
        vllm_args=vllm_args,
        max_lifetime=max_lifetime,
        idle_shutdown=idle_shutdown,
        keep_for_inspection=keep_for_inspection or None,
    )
    with api() as client:
        with saying_on_ctrl_c(_PERHAPS.format(program())), told_by_option(body, _OPTIONS):
            answer = client.post("/instances", body, headers={"Idempotency-Key": str(uuid4())})
        _say_accepted(client, answer, watching=watching, as_json=as_json)


@app.command("list")
def list_(
    status: Annotated[list[Status] | None, typer.Option(help="Only those in this status; repeatable.")] = None,
    model: Annotated[str | None, typer.Option(help="Only those of this model.", callback=non_empty)] = None,
    organization: OfOrganization = None,
    as_json: Json = False,
) -> None:
    """List instances, newest first."""
    with api() as client:
        instances = list(client.pages("/instances", status=status, model=model, organization=organization))
        _say_what_is_simulated(client)
    if as_json:
        print_json(instances)
        return
    shown = [described(InstanceView, row) for row in instances]
    print_table(listed(shown, wide=not out.is_terminal or out.width >= WIDE))


@app.command()
def show(instance: Instance, as_json: Json = False) -> None:
    """Show one instance: where it answers, or why it does not, and what is known of it."""
    with api() as client:
        found = client.get(f"/instances/{instance_id(client, instance)}")
        if as_json:
            print_json(found)
            return
        view = described(InstanceView, found)
        called = endpoint_of(client, view) if view.status is Status.READY and view.purpose == "serve" else ()
        out.print(page(view, tuple(called)))


@app.command("watch")
def watch_(
    instances: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[INSTANCE]...",
            help="Ids, unique beginnings of ids, or names.",
            callback=each_non_empty,
            autocompletion=instance_names,
        ),
    ] = None,
    *,
    everything: Annotated[
        bool, typer.Option("--all", help="All that are starting, now and later, until Ctrl-C.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Watch instances until each is ready, failed or gone; exit status 1 unless all became ready.

    Without names: all that are starting, and any created before the last of them is ready.
    """
    if everything and instances:
        raise typer.BadParameter("use names or --all, not both.", param_hint="--all")
    with api() as client:
        if not instances:
            follow_all(client, endless=everything, as_json=as_json)
            return
        ids = list(dict.fromkeys(instance_id(client, instance) for instance in instances))
        if len(ids) == 1:
            follow(client, client.instance(ids[0]), as_json=as_json)
        else:
            position = client.position()
            rows = [client.instance(one) for one in ids]
            follow_many(client, Fleet(frozenset(ids)), rows, position, as_json=as_json)


@app.command()
def timeline(instance: Instance, as_json: Json = False) -> None:
    """Show everything that happened to an instance."""
    with api() as client:
        rows = list(client.pages(f"/instances/{instance_id(client, instance)}/timeline"))
    if as_json:
        print_json(rows)
        return
    table = Table("#", "time", "by", "event", "status", "progress", "asked for by", box=None, pad_edge=False)
    for row in rows:
        at = row["occurred_at"][11:23]
        status = NAMES[Status(row["status"])]
        asker = Text(who(row.get("requested_by")))
        where = (row["type"], status, f"{row['progress_percent']} %")
        table.add_row(str(row["version"]), at, row["actor"], *where, asker)
    print_table(table)


@app.command()
def drain(instance: Instance, *, yes: Yes = False, as_json: Json = False) -> None:
    """Let running requests finish, then terminate. Asks first if the instance serves."""
    with api() as client:
        meant = instance_id(client, instance)
        _ask_if_it_serves(client, meant, Intent.DRAIN, yes=yes)
        _say(client.post(f"/instances/{meant}/drain"), as_json=as_json)


@app.command()
def reinstall(instance: Instance, *, yes: Yes = False, as_json: Json = False) -> None:
    """Install the worker again on the same server. Asks first if the instance serves."""
    with api() as client:
        meant = instance_id(client, instance)
        _ask_if_it_serves(client, meant, Intent.REINSTALL, yes=yes)
        _say(client.post(f"/instances/{meant}/reinstall"), as_json=as_json)


@app.command()
def relaunch(instance: Instance, *, watching: Watching = False, as_json: Json = False) -> None:
    """Launch a failed instance again: as it was asked for or, where the cause has an obvious mend, with that."""
    with api() as client:
        failed = instance_id(client, instance, ended=True)
        with saying_on_ctrl_c(_PERHAPS.format(program())):
            answer = client.post(f"/instances/{failed}/relaunch", headers={"Idempotency-Key": str(uuid4())})
        _say_accepted(client, answer, watching=watching, as_json=as_json)


@app.command()
def archive(instance: Instance, as_json: Json = False) -> None:
    """Remove an ended instance from the lists."""
    with api() as client:
        _say(client.post(f"/instances/{instance_id(client, instance, ended=True)}/archive"), as_json=as_json)


@app.command()
def terminate(instance: Instance, *, yes: Yes = False, as_json: Json = False) -> None:
    """End an instance and delete all its resources at the provider. Asks first if the instance serves."""
    with api() as client:
        meant = instance_id(client, instance)
        _ask_if_it_serves(client, meant, Intent.TERMINATE, yes=yes)
        _say(client.delete(f"/instances/{meant}"), as_json=as_json)


app.command()(logs)


def _say_accepted(client: Api, answer: dict[str, Any], *, watching: bool, as_json: bool) -> None:
    """A new instance and its warnings; `watching`: and then what becomes of it."""
    _say(answer, as_json=as_json)
    _say_what_is_simulated(client)
    instance = described(NewInstance, answer)
    for warning in instance.warnings:
        warn(warning)
    if watching:
        follow(client, instance, as_json=as_json)


def _ask_if_it_serves(client: Api, meant: UUID, intent: Intent, *, yes: bool) -> None:
    if yes:
        return
    found = client.instance(meant)
    if found.serving:
        serves = f"It serves {found.model}, with {_in_flight(client, found)}."
        gentler = f" `coldstart instances drain {found.name}` lets them finish first."
        becomes = CONSEQUENCES[intent] + (gentler if intent is Intent.TERMINATE else "")
        ask(f"{intent.capitalize()} {found.name}?", f"{serves} {becomes}", yes=yes)


def _in_flight(client: Api, instance: InstanceView) -> str:
    """E.g. `3 requests in flight`. Nobody can count those of an instance that its model's name does not reach."""
    try:
        resolved = client.get("/models/resolve", model=instance.model)["instances"]
    except ApiProblem:
        resolved = []
    running = next((one["in_flight"] for one in resolved if one["id"] == str(instance.id)), None)
    return "an unknown number of requests in flight" if running is None else f"{running} requests in flight"


def _say(answer: dict[str, Any], *, as_json: bool) -> None:
    """What became of an instance, as the api answered it."""
    if as_json:
        print_json(answer)
    else:
        instance = described(InstanceView, answer)
        say(f"{instance.id}  {instance.name}  {instance.status_label}")


def _say_what_is_simulated(client: Api) -> None:
    """On standard error, so that a script's input stays clean."""
    if client.simulated:
        note(f"Simulated: {client.simulated}. {_SIMULATED if 'cloud' in client.simulated else _SIMULATED_HUB}")
