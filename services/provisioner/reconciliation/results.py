"""The results of one reconciliation of one provider, and its report. Pure."""

from collections.abc import AsyncGenerator, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TypeAlias, TypeVar
from uuid import UUID

from shared.lifecycle.events import AddressChanged, LifetimeLimitReached, ServerLost, ServerRestarted, ServerStopped
from shared.lifecycle.instance import Instance
from shared.reconciliation import Foreign, Removed, Report, Unknown


@dataclass(frozen=True)
class Owned:
    """An instance that is not released, and the ids of its recorded resources."""

    instance: Instance
    resource_ids: frozenset[str]


@dataclass(frozen=True)
class Ended:
    """An instance that is released: nothing can happen to it any more, and it is not read again."""

    instance: Instance


@dataclass(frozen=True)
class ImageStored:
    """A build of which a machine image is there, whatever else is left of it."""

    builder: Instance


@dataclass(frozen=True)
class Unreadable:
    """None of the instance's events can be read by this version."""

    instance_id: UUID


@dataclass(frozen=True)
class ServersListed:
    """The number of servers with our tag."""

    servers: int


@dataclass(frozen=True)
class RuleFailed:
    """An error of a rule with one resource; the next reconciliation tries again."""

    message: str


Change: TypeAlias = ServerLost | ServerStopped | ServerRestarted | AddressChanged | LifetimeLimitReached
"""A fact that a rule has recorded in the journal."""
RuleResult: TypeAlias = (
    Owned | Ended | ImageStored | Unreadable | ServersListed | Removed | Unknown | Foreign | Change | RuleFailed
)
RuleResults: TypeAlias = AsyncGenerator[RuleResult, None]

Found = TypeVar("Found")


def owned_by(instance: Instance) -> Owned:
    resources = instance.resources
    ids = (resources.server_id, resources.address_id, *resources.duplicate_server_ids)
    volumes = (volume.id for volume in resources.volumes)
    return Owned(instance, frozenset(filter(None, (*ids, *volumes, *resources.security_group_ids))))


def still_unknown(results: Iterable[RuleResult]) -> list[Unknown]:
    """Unknown resources, except those removed after they were found."""
    every = list(results)
    removed = {(result.kind, result.id) for result in every if isinstance(result, Removed)}
    return [each for each in of_type(Unknown, every) if (each.kind, each.id) not in removed]


def of_type(kind: type[Found], results: Iterable[RuleResult]) -> list[Found]:
    return [result for result in results if isinstance(result, kind)]


def report_of(provider: str, began_at: datetime, ended_at: datetime, results: Sequence[RuleResult]) -> Report:
    """Each kind in the order in which it was found."""
    return Report(
        provider=provider,
        began_at=began_at,
        ended_at=ended_at,
        servers=sum(listed.servers for listed in of_type(ServersListed, results)),
        removed=tuple(of_type(Removed, results)),
        unknown=tuple(still_unknown(results)),
        foreign=tuple(of_type(Foreign, results)),
        lost=_instances(ServerLost, results),
        stopped=_instances(ServerStopped, results),
        restarted=_instances(ServerRestarted, results),
        readdressed=_instances(AddressChanged, results),
        expired=_instances(LifetimeLimitReached, results),
        errors=tuple(problem.message for problem in of_type(RuleFailed, results)),
    )


def _instances(kind: type[Change], results: Sequence[RuleResult]) -> tuple[UUID, ...]:
    return tuple(change.instance_id for change in of_type(kind, results))
