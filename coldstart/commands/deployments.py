"""`coldstart deployments`: endpoints that stay; look at them, scale, pause, roll back and end them."""

import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from coldstart.api_client import Api
from coldstart.commands.asking import Yes, ask
from coldstart.commands.completing import deployment_names
from coldstart.commands.context import Json, api, complain, given, non_empty, note, out, print_json, print_table, say
from coldstart.commands.following import saying_on_ctrl_c
from coldstart.commands.naming import OfOrganization
from coldstart.commands.wrong_fields import told_by_option
from coldstart.deployment_tables import (
    full_name,
    listed_deployments,
    listed_events,
    listed_replicas,
    ready_of_wanted,
    shown_deployment,
)
from coldstart.how_to_call import program
from coldstart.scaling_backtest import backtest
from coldstart.waiting import lasted
from coldstart.watching_deployment import DeploymentJourney, draw, events_of_deployment
from shared.deployments.decide import DeploymentIntent
from shared.deployments.words import CONSEQUENCES

_NAME: Final = re.compile(r"(?:([a-z0-9][a-z0-9-]*)/)?([A-Za-z0-9][A-Za-z0-9._-]*)")
_OPTIONS: Final = {"min_replicas": "--min", "max_replicas": "--max"}
app = typer.Typer(no_args_is_help=True, help="Endpoints that stay: look at them, scale, pause, roll back, end them.")


@app.callback(invoke_without_command=True)
def deployments(
    context: typer.Context,
    *,
    played: Annotated[
        bool, typer.Option("--backtest", help="Play days of requests against the scaler and against other policies.")
    ] = False,
    arrivals: Annotated[
        Path | None,
        typer.Option(
            "--csv",
            exists=True,
            dir_okay=False,
            help="With --backtest: rows of when a request came and ran, in seconds.",
        ),
    ] = None,
    own_launches: Annotated[
        bool, typer.Option("--own-launches", help="With --backtest: cold starts as they were here, not simulated ones.")
    ] = False,
    seed: Annotated[int, typer.Option(help="With --backtest: the seed of what is simulated.")] = 1,
    as_json: Json = False,
) -> None:
    """Look at endpoints that stay: scale, pause, roll back, end them."""
    if context.invoked_subcommand is not None:
        return
    if not played:
        raise typer.BadParameter("name a command, or use it with --backtest.")
    backtest(arrivals=arrivals, own_launches=own_launches, seed=seed, as_json=as_json)


def known_name(value: str) -> str:
    """A typer callback."""
    if _NAME.fullmatch(value) is None:
        raise typer.BadParameter(f"invalid name {value!r}. Write it as chat, or as acme/chat for an organisation's.")
    return value


Name = Annotated[
    str,
    typer.Argument(
        metavar="NAME",
        help="The deployment's name; of an organisation's, as acme/chat.",
        callback=known_name,
        autocompletion=deployment_names,
    ),
]
Least = Annotated[int | None, typer.Option("--min", min=0, help="At least this many replicas.")]
Most = Annotated[int | None, typer.Option("--max", min=0, help="At most this many replicas.")]


def address(name: str) -> tuple[str, str | None]:
    """The path, and the organisation's slug."""
    match = _NAME.fullmatch(name)
    assert match is not None, "checked by known_name"  # noqa: S101
    return f"/deployments/{match[2]}", match[1]


@app.command("list")
def list_(
    model: Annotated[str | None, typer.Option(help="Only those of this model.", callback=non_empty)] = None,
    organization: OfOrganization = None,
    as_json: Json = False,
) -> None:
    """List deployments, newest first."""
    with api() as client:
        rows = list(client.pages("/deployments", model=model, organization=organization))
    if as_json:
        print_json(rows)
    elif rows:
        print_table(listed_deployments(rows))
    else:
        say("There is no deployment. `coldstart deploy MODEL` makes one.")


@app.command()
def show(name: Name, as_json: Json = False) -> None:
    """Show a deployment and its replicas."""
    with api() as client:
        row = _found(client, name)
    if as_json:
        print_json(row)
        return
    print_table(shown_deployment(row))
    if row["replicas"]:
        say("")
        print_table(listed_replicas(row))


@app.command()
def scale(name: Name, *, least: Least = None, most: Most = None, as_json: Json = False) -> None:
    """Change how many replicas there are at least and at most. What is not named stays."""
    body = given(min_replicas=least, max_replicas=most)
    if not body:
        raise typer.BadParameter("name something to change: --min or --max.")
    path, organization = address(name)
    with api() as client, told_by_option(body, _OPTIONS):
        row = client.post(f"{path}/scale", body, organization=organization)
    _say(row, as_json=as_json)


@app.command()
def pause(name: Name, *, yes: Yes = False, as_json: Json = False) -> None:
    """End all replicas until it is resumed. Asks first if one serves."""
    with api() as client:
        if not yes and (row := _found(client, name))["ready"]:
            serves = f"{row['ready']} of its replicas serve {row['model']}."
            ask(f"Pause {full_name(row)}?", f"{serves} {CONSEQUENCES[DeploymentIntent.PAUSE]}", yes=yes)
        _say(_intend(client, name, DeploymentIntent.PAUSE), as_json=as_json)


@app.command()
def resume(name: Name, as_json: Json = False) -> None:
    """Go on after a pause, or after it has been given up."""
    with api() as client:
        _say(_intend(client, name, DeploymentIntent.RESUME), as_json=as_json)


@app.command()
def restart(name: Name, as_json: Json = False) -> None:
    """Replace every replica by a new one of the same; an old one goes when a new one is ready."""
    with api() as client:
        _say(_intend(client, name, DeploymentIntent.RESTART), as_json=as_json)


@app.command()
def rollback(name: Name, as_json: Json = False) -> None:
    """Go back to what was served before the last change."""
    with api() as client:
        _say(_intend(client, name, DeploymentIntent.ROLLBACK), as_json=as_json)


@app.command()
def delete(name: Name, *, yes: Yes = False, as_json: Json = False) -> None:
    """Delete a deployment, and end its replicas after their running requests."""
    ask(f"Delete {name}?", f"{CONSEQUENCES[DeploymentIntent.DELETE]} This cannot be undone.", yes=yes)
    path, organization = address(name)
    with api() as client:
        _say(client.delete(path, organization=organization), as_json=as_json)


@app.command()
def explain(name: Name, as_json: Json = False) -> None:
    """Say what would be done for a deployment now, and why, with the figures."""
    path, organization = address(name)
    with api() as client:
        told = client.get(f"{path}/explain", organization=organization)
    if as_json:
        print_json(told)
        return
    figures = told["figures"]
    bounds = f"{figures['min_replicas']} to {figures['max_replicas']} replicas"
    say(f"Replicas: {told['would_be']} would be wanted now, {told['wanted']} are wanted, {told['ready']} are ready.")
    say(f"Why: {told['message']}")
    load, expected = (f"{round(figures[field], 1):g}" for field in ("load", "expected"))
    say(f"Load: {load} requests now, {expected} expected in {lasted(figures['lead_seconds'])}.")
    say(f"Target: {figures['per_replica']:g} a replica, {bounds}.")
    for step in told["steps"]:
        say(f"Next: {step}.")


@app.command()
def watch(
    name: Name,
    *,
    follow: Annotated[bool, typer.Option("--follow", help="Go on until Ctrl-C.")] = False,
    as_json: Json = False,
) -> None:
    """Watch a deployment and its replicas until it serves as wanted; exit status 1 if it cannot."""
    with api() as client:
        watch_deployment(client, name, endless=follow, as_json=as_json)


@app.command()
def timeline(name: Name, as_json: Json = False) -> None:
    """Show everything that happened to a deployment, and why."""
    path, organization = address(name)
    with api() as client:
        rows = list(client.pages(f"{path}/timeline", organization=organization))
    if as_json:
        print_json(rows)
    else:
        print_table(listed_events(rows))


def watch_deployment(client: Api, name: str, *, as_json: bool, endless: bool = False) -> None:
    """Exits with 1 if it will not serve as wanted unless somebody does something."""
    position = client.position()
    journey = DeploymentJourney.of(_found(client, name), datetime.now(UTC))
    messages = client.everything("/events", after=position)
    called = f"{program()} deployments"
    with saying_on_ctrl_c(f"{name} goes on without being watched. To watch it again: {called} watch {name}"):
        if as_json:
            for _, event in events_of_deployment(journey, messages, endless=endless):
                print_json(event)
        else:
            draw(out, journey, messages, lambda: client.away, endless=endless)
    if journey.why_not is not None:
        complain(journey.why_not)
        helps, intent = ("To go back", "rollback") if journey.halted else ("To try again", "resume")
        note(f"{helps}: {called} {intent} {name}")
        raise typer.Exit(1)


def _found(client: Api, name: str) -> dict[str, Any]:
    path, organization = address(name)
    found: dict[str, Any] = client.get(path, organization=organization)
    return found


def _intend(client: Api, name: str, intent: DeploymentIntent) -> dict[str, Any]:
    path, organization = address(name)
    answer: dict[str, Any] = client.post(f"{path}/{intent}", organization=organization)
    return answer


def _say(row: dict[str, Any], *, as_json: bool) -> None:
    """What became of a deployment, as the api answered it."""
    if as_json:
        print_json(row)
    else:
        say(f"{full_name(row)}  {row['status_label']}  {ready_of_wanted(row)}")
