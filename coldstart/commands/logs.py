"""`coldstart instances logs`: the install's output on the machine."""

import time
from collections.abc import Iterator
from typing import Annotated, Any, Final
from uuid import UUID

import typer

from coldstart.api_client import Api
from coldstart.commands.context import Json, api, print_json, say
from coldstart.commands.naming import Instance, instance_id
from shared.lifecycle.status import INSTALL_AHEAD

_BETWEEN_S: Final = 1.0


def logs(
    instance: Instance,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Continue until the install has ended.")] = False,
    tail: Annotated[int | None, typer.Option(min=1, max=200, help="Begin with at most this many lines.")] = None,
    as_json: Json = False,
) -> None:
    """Show the last output of an instance's install."""
    with api() as client:
        its_id = instance_id(client, instance)
        lines = _followed(client, its_id, tail) if follow else iter(_printed(client, its_id, tail)["items"])
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


def _printed(client: Api, its_id: UUID, tail: int | None) -> Any:
    return client.get(f"/instances/{its_id}/logs", tail=tail)
