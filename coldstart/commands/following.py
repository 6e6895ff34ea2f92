"""Watching instances until they have settled, and the last message. Ctrl-C ends only the watching, and says so."""

from collections.abc import Generator
from contextlib import contextmanager, nullcontext, suppress
from datetime import UTC, datetime
from typing import Any

import typer

from coldstart.api_client import Api, ApiProblem
from coldstart.commands.context import complain, note, out, print_json, say
from coldstart.fleet import ON_THEIR_WAY, Fleet
from coldstart.how_to_call import endpoint, program
from coldstart.settings import ClientSettings, from_environment
from coldstart.watching import watch, watch_as_json
from coldstart.watching_many import events_of, watch_many
from shared.lifecycle.instance import Failure
from shared.lifecycle.status import Status
from shared.lifecycle.words import NAMES, cause


@contextmanager
def saying_on_ctrl_c(sentence: str) -> Generator[None]:
    try:
        yield
    except KeyboardInterrupt:
        note(sentence)
        raise


def follow(client: Api, instance: dict[str, Any], *, as_json: bool) -> None:
    """Watch until this instance is ready, or exit with 1."""
    path, now = f"/instances/{instance['id']}/events", instance["version"]
    called, its_id = f"{program()} instances", instance["id"][:8]
    goes_on = f"{instance['name']} continues without being watched. To watch it again: {called} watch {its_id}. "
    with saying_on_ctrl_c(f"{goes_on}To end it: {called} terminate {its_id}."):
        if as_json:
            journey = watch_as_json(client.events(path, **{"from": "start"}), print_json, since=now)
        else:
            journey = watch(out, client.told(path, **{"from": "start"}), title=instance["name"], since=now)
    if journey.instance["status"] != Status.READY:
        error = journey.instance.get("error")
        complain(_why(Status(journey.instance["status"]), Failure.model_validate(error) if error else None))
        raise typer.Exit(1)
    if not as_json:
        _say_endpoint(client, journey.instance["specification"])


def _say_endpoint(client: Api, specification: dict[str, Any]) -> None:
    organization = None
    if specification.get("organization_id"):
        with suppress(ApiProblem):
            known = client.pages("/organizations")
            organization = next((one["slug"] for one in known if one["id"] == specification["organization_id"]), None)
    for line in endpoint(client.url, specification, organization, from_environment(ClientSettings)):
        say(line)


def follow_all(client: Api, *, endless: bool, as_json: bool) -> None:
    """The list may lag behind the events, so each starting instance in it is read again."""
    position = client.position()
    rows = [client.get(f"/instances/{row['id']}") for row in client.pages("/instances", status=sorted(ON_THEIR_WAY))]
    if not rows and not as_json:
        say("No instance is starting.")
    follow_many(client, Fleet(), rows, position, endless=endless, as_json=as_json)


def follow_many(
    client: Api, fleet: Fleet, rows: list[dict[str, Any]], position: str, *, as_json: bool, endless: bool = False
) -> None:
    fleet.shown(rows, datetime.now(UTC))
    told = client.told("/events", after=position)
    goes_on = f"The instances continue without being watched. To see them: {program()} instances list."
    with nullcontext() if endless else saying_on_ctrl_c(goes_on):
        if as_json:
            for event in events_of(fleet, told, endless=endless):
                print_json(event)
        else:
            watch_many(out, fleet, told, lambda: client.away, endless=endless)
    wrong = [member for member in fleet.members if member.status is not Status.READY]
    for member in wrong:
        complain(f"{member.name}: {_why(member.status, member.error)}")
    if wrong:
        raise typer.Exit(1)


def _why(status: Status, error: Failure | None) -> str:
    return cause(error) if error else NAMES[status]
