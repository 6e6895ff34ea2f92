"""What one reconciliation with one provider finds, and the report of it. Pure."""

from collections.abc import AsyncGenerator, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeAlias, TypeVar, assert_never
from uuid import UUID

from shared.lifecycle.events import AddressChanged, LifetimeLimitReached, ServerLost, ServerRestarted, ServerStopped
from shared.lifecycle.instance import Instance
from shared.reconciliation import Foreign, Removed, Report, Unknown


@dataclass(frozen=True)
class Owned:
    """Ids of resources that this instance, which is not released, has on record."""

    instance_id: UUID
    resource_ids: frozenset[str]


@dataclass(frozen=True)
class Unreadable:
    """None of the instance's events can be read by this version."""

    instance_id: UUID


@dataclass(frozen=True)
class Listed:
    """So many servers bear our tag."""

    servers: int


@dataclass(frozen=True)
class Problem:
    """What kept a rule from one resource; the next reconciliation tries again."""

    message: str


Change: TypeAlias = ServerLost | ServerStopped | ServerRestarted | AddressChanged | LifetimeLimitReached
"""A fact that a rule has recorded in the journal."""
Finding: TypeAlias = Owned | Unreadable | Listed | Removed | Unknown | Foreign | Change | Problem
Findings: TypeAlias = AsyncGenerator[Finding, None]

Found = TypeVar("Found")


def owned_by(instance: Instance) -> Owned:
    resources = instance.resources
    ids = (resources.server_id, resources.address_id, *resources.duplicate_server_ids)
    volumes = (volume.id for volume in resources.volumes)
    return Owned(instance.id, frozenset(filter(None, (*ids, *volumes, *resources.security_group_ids))))


def still_unknown(findings: Iterable[Finding]) -> list[Unknown]:
    """Without those that were removed after they were found."""
    every = list(findings)
    removed = {(finding.kind, finding.id) for finding in every if isinstance(finding, Removed)}
    return [each for each in of_type(Unknown, every) if (each.kind, each.id) not in removed]


def of_type(kind: type[Found], findings: Iterable[Finding]) -> list[Found]:
    return [finding for finding in findings if isinstance(finding, kind)]


def report_of(provider: str, began_at: datetime, ended_at: datetime, findings: Sequence[Finding]) -> Report:
    """Each kind in the order in which it was found."""
    reported: dict[str, list[Any]] = {}
    for finding in findings:
        if (field := _field(finding)) is not None:
            reported.setdefault(field, []).append(_as_reported(finding))
    return Report(
        provider=provider,
        began_at=began_at,
        ended_at=ended_at,
        servers=sum(listed.servers for listed in of_type(Listed, findings)),
        unknown=tuple(still_unknown(findings)),
        **{field: tuple(values) for field, values in reported.items()},
    )


def _field(finding: Finding) -> str | None:
    """Of the report; None for what it has in another form."""
    match finding:
        case Removed():
            return "removed"
        case Foreign():
            return "foreign"
        case ServerLost():
            return "lost"
        case ServerStopped():
            return "stopped"
        case ServerRestarted():
            return "restarted"
        case AddressChanged():
            return "readdressed"
        case LifetimeLimitReached():
            return "expired"
        case Problem():
            return "errors"
        case Unknown() | Listed() | Owned() | Unreadable():
            return None
    assert_never(finding)


def _as_reported(finding: Finding) -> Any:
    match finding:
        case ServerLost() | ServerStopped() | ServerRestarted() | AddressChanged() | LifetimeLimitReached():
            return finding.instance_id
        case Problem():
            return finding.message
        case _:
            return finding
