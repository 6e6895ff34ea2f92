"""Finds the instance or key that a person means, and the slugs of organisations."""

from collections.abc import Iterable, Sequence
from typing import Annotated, Any, Final
from uuid import UUID

import typer

from coldstart.api_client import Api, ApiProblem
from coldstart.commands.context import non_empty
from shared.lifecycle.groups import StatusGroup

_SHOWN: Final = 5
BEGINNING: Final = 8
"""Characters of an id that are shown; every command finds an id by its beginning."""

Instance = Annotated[
    str, typer.Argument(help="The instance: its id, a unique beginning of its id, or its name.", callback=non_empty)
]
OfOrganization = Annotated[
    str | None,
    typer.Option("--organization", help="Only those of the organisation with this slug.", callback=non_empty),
]


def slugs(client: Api, rows: Sequence[dict[str, Any]]) -> dict[str | None, str]:
    """The slugs of the organisations in these rows, by id; for a deleted one, the beginning of its id."""
    ids = {str(row["organization_id"]) for row in rows if row["organization_id"] is not None}
    listed = client.pages("/organizations") if ids else ()
    return {each: each[:BEGINNING] for each in ids} | {item["id"]: item["slug"] for item in listed}


def instance_id(client: Api, instance: str) -> UUID:
    """Of several with this name, the one that is not gone. Raises ApiProblem if none, or more than one, matches."""
    try:
        return UUID(instance)
    except ValueError:
        pass
    items = list(client.instances())
    named = [item for item in items if item.name == instance]
    alive = [item for item in named if item.group is not StatusGroup.GONE]
    beginning = [item for item in items if str(item.id).startswith(instance.lower())]
    meant = alive if len(alive) == 1 and not beginning else [*named, *beginning]
    return _only((item.id for item in meant), f"instances are called {instance!r}", "instances")


def key_id(client: Api, key: str) -> UUID:
    """Raises ApiProblem if no key, or more than one, matches."""
    beginning = (UUID(item["id"]) for item in client.pages("/api-keys") if item["id"].startswith(key.lower()))
    return _only(beginning, f"keys have an id that begins with {key!r}", "keys")


def _only(meant: Iterable[UUID], what: str, command: str) -> UUID:
    ids = sorted(set(meant))
    if len(ids) == 1:
        return ids[0]
    which = f" ({', '.join(map(str, ids[:_SHOWN]))}{', …' if len(ids) > _SHOWN else ''})" if ids else ""
    raise ApiProblem(f"{len(ids) or 'no'} {what}{which}; see 'coldstart {command} list'.")
