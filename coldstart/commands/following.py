"""Watching instances until they have settled, and the last message. Ctrl-C ends only the watching, and says so."""

from collections.abc import Generator
from contextlib import contextmanager, nullcontext, suppress
from datetime import UTC, datetime

import typer

from coldstart.api_client import Api, ApiProblem
from coldstart.client_settings import client_settings
from coldstart.commands.context import complain, note, out, print_json, say
from coldstart.fleet import Fleet
from coldstart.how_to_call import endpoint, program
from coldstart.watching import watch, watch_as_json
from coldstart.watching_many import events_of, watch_many
from shared.description import Description, InstanceView
from shared.lifecycle.groups import ON_THEIR_WAY, statuses_of
from shared.lifecycle.status import Status
from shared.lifecycle.words import cause


@contextmanager
def saying_on_ctrl_c(sentence: str) -> Generator[None]:
    try:
        yield
    except KeyboardInterrupt:
        note(sentence)
        raise


def follow(client: Api, instance: InstanceView, *, as_json: bool) -> None:
    """Watch until this instance is ready, or exit with 1."""
    path, now = f"/instances/{instance.id}/events", instance.version
    called, its_id = f"{program()} instances", str(instance.id)[:8]
    goes_on = f"{instance.name} continues without being watched. To watch it again: {called} watch {its_id}. "
    with saying_on_ctrl_c(f"{goes_on}To end it: {called} terminate {its_id}."):
        if as_json:
            journey = watch_as_json(client.events(path, **{"from": "start"}), print_json, since=now)
        else:
            journey = watch(out, client.stream(path, **{"from": "start"}), title=instance.name, since=now)
    came_to = journey.instance or instance
    if came_to.status is not Status.READY:
        complain(_why(came_to))
        raise typer.Exit(1)
    if not as_json:
        _say_endpoint(client, came_to)


def _say_endpoint(client: Api, instance: Description) -> None:
    organization = None
    if instance.organization_id:
        with suppress(ApiProblem):
            known = client.pages("/organizations")
            organization = next((one["slug"] for one in known if one["id"] == str(instance.organization_id)), None)
    for line in endpoint(client.url, instance.model, instance.task, organization, client_settings()):
        say(line)


def follow_all(client: Api, *, endless: bool, as_json: bool) -> None:
    """The list may lag behind the events, so each starting instance in it is read again."""
    position = client.position()
    rows = [client.instance(row.id) for row in client.instances(status=sorted(statuses_of(*ON_THEIR_WAY)))]
    if not rows and not as_json:
        say("No instance is starting.")
    follow_many(client, Fleet(), rows, position, endless=endless, as_json=as_json)


def follow_many(
    client: Api, fleet: Fleet, rows: list[InstanceView], position: str, *, as_json: bool, endless: bool = False
) -> None:
    fleet.shown(rows, datetime.now(UTC))
    stream = client.stream("/events", after=position)
    goes_on = f"The instances continue without being watched. To see them: {program()} instances list."
    with nullcontext() if endless else saying_on_ctrl_c(goes_on):
        if as_json:
            for event in events_of(fleet, stream, endless=endless):
                print_json(event.json)
        else:
            watch_many(out, fleet, stream, lambda: client.away, endless=endless)
    wrong = [member.instance for member in fleet.members if member.instance.status is not Status.READY]
    for instance in wrong:
        complain(f"{instance.name}: {_why(instance)}")
    if wrong:
        raise typer.Exit(1)


def _why(instance: Description) -> str:
    return cause(instance.error) if instance.error else instance.status_label
