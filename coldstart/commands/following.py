"""Watching instances until they have settled, and the last message. Ctrl-C ends only the watching, and says so."""

from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager, nullcontext, suppress
from datetime import UTC, datetime

import typer

from coldstart.api_client import Api, ApiProblem, described
from coldstart.client_settings import client_settings
from coldstart.commands.context import complain, note, out, print_json, say
from coldstart.fleet import Fleet
from coldstart.how_to_call import endpoint, program
from coldstart.money import money
from coldstart.watching import watch, watch_as_json
from coldstart.watching_many import events_of, watch_many
from shared.description import Description, InstanceView
from shared.lifecycle.groups import ON_THEIR_WAY, statuses_of
from shared.lifecycle.status import Status
from shared.lifecycle.words import cause


@contextmanager
def saying_on_ctrl_c(sentence: str | Callable[[], str]) -> Generator[None]:
    try:
        yield
    except KeyboardInterrupt:
        note(sentence if isinstance(sentence, str) else sentence())
        raise


def follow(client: Api, instance: InstanceView, *, as_json: bool) -> None:
    """Watch until this instance is ready, or exit with 1."""
    path, now = f"/instances/{instance.id}/events", instance.version
    with saying_on_ctrl_c(lambda: _goes_on(client, instance)):
        if as_json:
            journey = watch_as_json(client.events(path, **{"from": "start"}), print_json, since=now)
        else:
            journey = watch(out, client.stream(path, **{"from": "start"}), title=instance.name, since=now)
    came_to = journey.instance or instance
    if came_to.status is not Status.READY:
        complain(_why(came_to))
        raise typer.Exit(1)
    if not as_json:
        for line in endpoint_of(client, came_to):
            say(line)


def _goes_on(client: Api, instance: InstanceView) -> str:
    """With what it costs, if the api still says."""
    called, its_id = f"{program()} instances", str(instance.id)[:8]
    said = f"{instance.name} continues without being watched. "
    with suppress(ApiProblem):
        now = described(InstanceView, client.get(f"/instances/{instance.id}"))
        if now.server_on and now.hourly_price:
            said += (
                f"It costs {money(now.hourly_price, now.currency)} an hour, {money(now.cost, now.currency)} so far. "
            )
    return f"{said}To watch it again: {called} watch {its_id}. To end it: {called} terminate {its_id}."


def endpoint_of(client: Api, instance: Description) -> Iterator[str]:
    """Where a ready instance answers, and how to ask it."""
    organization = None
    if instance.organization_id:
        with suppress(ApiProblem):
            known = client.pages("/organizations")
            organization = next((one["slug"] for one in known if one["id"] == str(instance.organization_id)), None)
    yield from endpoint(client.url, instance.model, instance.task, organization, client_settings())


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
