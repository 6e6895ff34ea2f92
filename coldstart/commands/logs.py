"""`coldstart instances logs`: what the install prints on the machine, or the worker."""

import time
from collections.abc import Iterator
from typing import Annotated, Any, Final
from uuid import UUID

import typer

from coldstart.api_client import Api
from coldstart.commands.context import Json, api, print_json, say
from coldstart.commands.naming import Instance, instance_id
from shared.lifecycle.groups import StatusGroup
from shared.lifecycle.status import INSTALL_AHEAD

_BETWEEN_S: Final = 1.0


def logs(
    instance: Instance,
    worker: Annotated[
        bool, typer.Option("--worker", help="Show the worker's own log and its machine's state.")
    ] = False,
    follow: Annotated[
        bool, typer.Option("--follow", "-f", help="Continue until the install or worker has ended.")
    ] = False,
    tail: Annotated[int | None, typer.Option(min=1, max=200, help="Begin with at most this many lines.")] = None,
    as_json: Json = False,
) -> None:
    """Show the last output of an instance's install, or of its worker."""
    with api() as client:
        its_id = instance_id(client, instance)
        if follow:
            followed = _worker_followed if worker else _followed
            _show(followed(client, its_id, tail), as_json=as_json)
            return
        log = _printed(client, its_id, tail, worker=worker)
        _show(iter(log["items"]), as_json=as_json)
        if not as_json:
            for line in log.get("machine", ()):
                say(line)


def _show(lines: Iterator[dict[str, Any]], *, as_json: bool) -> None:
    for line in lines:
        if as_json:
            print_json(line)
        else:
            say(f"{line['at'][11:19]}  {line['text']}")


def _followed(client: Api, its_id: UUID, tail: int | None) -> Iterator[dict[str, Any]]:
    """Each line once, further tries included. The instance is read before its log, so that no last line is missed."""
    seen: tuple[int, int, int] = (0, 0, 0)
    while True:
        over = client.instance(its_id).status not in INSTALL_AHEAD
        log = _printed(client, its_id, tail)
        for line in log["items"]:
            place = (log["attempt"], log["install_try"], line["number"])
            if place > seen:
                seen = place
                yield line
        if over:
            return
        tail = None
        time.sleep(_BETWEEN_S)


def _worker_followed(client: Api, its_id: UUID, tail: int | None) -> Iterator[dict[str, Any]]:
    """Each line once: they are told by their times, and of the same time by their texts."""
    last_at, seen = "", set[str]()
    while True:
        over = client.instance(its_id).group in {StatusGroup.FAILED, StatusGroup.GONE}
        for line in _printed(client, its_id, tail, worker=True)["items"]:
            if line["at"] < last_at or (line["at"] == last_at and line["text"] in seen):
                continue
            seen = {line["text"]} if line["at"] > last_at else seen | {line["text"]}
            last_at = line["at"]
            yield line
        if over:
            return
        tail = None
        time.sleep(_BETWEEN_S)


def _printed(client: Api, its_id: UUID, tail: int | None, *, worker: bool = False) -> Any:
    return client.get(f"/instances/{its_id}/logs", tail=tail, source="worker" if worker else None)
