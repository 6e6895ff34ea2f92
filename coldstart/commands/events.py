"""`coldstart events`: the stream of everything that happens."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from difflib import get_close_matches
from typing import Annotated, Final

import typer

from coldstart.commands.context import Json, api, non_empty, print_json, say
from coldstart.commands.durations import seconds
from coldstart.commands.naming import instance_id
from coldstart.stream_messages import DeploymentHappened, Estimated, Happened
from coldstart.watching import detail
from shared.deployments.events import DEPLOYMENT_EVENTS
from shared.deployments.words import what_happened
from shared.lifecycle.events import EVENTS

_LIKENESS: Final = 0.45
"""Low enough that a misspelled part of a name finds the whole name."""
app = typer.Typer(no_args_is_help=True, help="Everything that happens, as it happens.")


def known_types(types: list[str] | None) -> list[str] | None:
    """A typer callback: the types in their proper spelling, whatever case was typed."""
    return types and [_known(kind) for kind in types]


@app.command()
def tail(
    *,
    types: Annotated[
        list[str] | None,
        typer.Option("--type", help="Only events of this type, e.g. InstanceReady; repeatable.", callback=known_types),
    ] = None,
    instance: Annotated[
        str | None,
        typer.Option(
            help="Only events of this instance: its id, the beginning of its id, or its name.", callback=non_empty
        ),
    ] = None,
    since: Annotated[
        int | None,
        typer.Option(parser=seconds, metavar="TIME", help="Begin with events recorded this long ago, e.g. 30m or 2h."),
    ] = None,
    from_start: Annotated[bool, typer.Option("--from-start", help="Begin with the first event.")] = False,
    nats: Annotated[
        bool, typer.Option("--nats", help="Only print the nats command that follows the same events at NATS_URL.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Print events as they are recorded, until Ctrl-C; a lost connection is resumed without a gap."""
    if since is not None and from_start:
        raise typer.BadParameter("use --since or --from-start, not both.", param_hint="--since")
    if nats and (since is not None or from_start or as_json):
        raise typer.BadParameter("combine it with --type and --instance only.", param_hint="--nats")
    if nats and instance is None:
        _say_nats(types or (), "*")
        return
    with api() as client:
        its_id = instance_id(client, instance) if instance else None
        if nats:
            _say_nats(types or (), str(its_id))
            return
        path = f"/instances/{its_id}/events" if its_id else "/events"
        for event in client.everything(path, **_beginning(since, from_start=from_start)):
            if isinstance(event, Estimated) or (types and event.type not in types):
                continue
            if as_json:
                print_json(event.json)
            else:
                say(_line(event))


def _known(kind: str) -> str:
    """Raises typer.BadParameter, which suggests types that contain the typed word, else similar ones."""
    by_lower_case, typed = (
        {known.lower(): known for known in (*EVENTS, *DEPLOYMENT_EVENTS)},
        str(non_empty(kind)).lower(),
    )
    if found := by_lower_case.get(typed):
        return found
    like = [name for name in by_lower_case if typed in name] or get_close_matches(
        typed, by_lower_case, cutoff=_LIKENESS
    )
    meant = " or ".join(by_lower_case[name] for name in like)
    hint = f"did you mean {meant}?" if meant else "see docs/lifecycle.md for all of them."
    raise typer.BadParameter(f"unknown event {kind!r}; {hint}")


def _beginning(since: int | None, *, from_start: bool) -> dict[str, str]:
    if from_start:
        return {"from": "start"}
    return {} if since is None else {"from": (datetime.now(UTC) - timedelta(seconds=since)).isoformat()}


def _say_nats(types: Sequence[str], instance: str) -> None:
    for kind in types or (">",):
        every = "lifecycle.>" if (kind, instance) == (">", "*") else f"lifecycle.{instance}.{kind}"
        say(f"nats sub '{every}'")


def _line(event: Happened | DeploymentHappened) -> str:
    if isinstance(event, DeploymentHappened):
        its_id, said = event.deployment.id, what_happened(event.type, event.fact)
        after = f"{event.deployment.name}: {event.deployment.status_label}{said and f' ({said})'}"
    else:
        its_id, instance = event.instance.id, event.instance
        after = f"{instance.status_label:<12} {instance.progress_percent:>3} %{detail(event)}"
    at = event.at.astimezone().strftime("%H:%M:%S.%f")[:12]
    return f"{at}  {str(its_id)[:8]}  {event.type:<24} {after}"
