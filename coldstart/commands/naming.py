"""Finds the instance or key that a person means, and the slugs of organisations."""

from collections.abc import Iterable, Sequence
from typing import Annotated, Any, Final
from uuid import UUID

import typer

from coldstart.api_client import Api, ApiProblem
from coldstart.commands.completing import instance_names
from coldstart.commands.context import non_empty
from shared.description import InstanceView
from shared.lifecycle.decide import Intent
from shared.lifecycle.groups import StatusGroup

_SHOWN: Final = 5
_ENDED: Final = frozenset({StatusGroup.FAILED, StatusGroup.GONE})
BEGINNING: Final = 8
"""Characters of an id that are shown; every command finds an id by its beginning."""

Instance = Annotated[
    str,
    typer.Argument(
        help="The instance: its id, a unique beginning of its id, or its name.",
        callback=non_empty,
        autocompletion=instance_names,
    ),
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


def instance_id(client: Api, instance: str, *, ended: bool = False) -> UUID:
    """Of several with this name, the one that lives or, if none does, the newest failed or else terminated one.

    `ended`: the latter first, for what can only be asked of those. Raises ApiProblem if none matches, or several do
    that live.
    """
    try:
        return UUID(instance)
    except ValueError:
        pass
    items = list(client.instances())
    named = _meant([item for item in items if item.name == instance], ended=ended)
    beginning = [item for item in items if str(item.id).startswith(instance.lower())]
    return _only((item.id for item in [*named, *beginning]), f"instances are called {instance!r}", "instances")


def _meant(named: Sequence[InstanceView], *, ended: bool) -> Sequence[InstanceView]:
    """A failed one whose machine is kept for inspection lives: it costs money, and may be installed again."""
    living = [item for item in named if item.group not in _ENDED or Intent.REINSTALL in item.actions]
    past = [item for item in named if item.group in _ENDED]
    last = sorted(past, key=lambda item: (item.group is StatusGroup.FAILED, item.created_at))[-1:]
    return last or living if ended else living or last


def key_id(client: Api, key: str) -> UUID:
    """Raises ApiProblem if no key, or more than one, matches."""
    beginning = (UUID(item["id"]) for item in client.pages("/api-keys") if item["id"].startswith(key.lower()))
    return _only(beginning, f"keys have an id that begins with {key!r}", "keys")


def webhook_id(client: Api, webhook: str) -> UUID:
    """Raises ApiProblem if no webhook, or more than one, matches."""
    beginning = (UUID(item["id"]) for item in client.pages("/webhooks") if item["id"].startswith(webhook.lower()))
    return _only(beginning, f"webhooks have an id that begins with {webhook!r}", "webhooks")


def _only(meant: Iterable[UUID], what: str, command: str) -> UUID:
    ids = sorted(set(meant))
    if len(ids) == 1:
        return ids[0]
    which = f" ({', '.join(map(str, ids[:_SHOWN]))}{', …' if len(ids) > _SHOWN else ''})" if ids else ""
    raise ApiProblem(f"{len(ids) or 'no'} {what}{which}; see 'coldstart {command} list'.")
