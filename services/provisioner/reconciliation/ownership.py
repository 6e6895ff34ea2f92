"""Which instance owns a resource at the provider, by the journal, and whether the resource may be deleted."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from services.provisioner.provider import Resource
from services.provisioner.reconciliation.context import ReconciliationContext
from services.provisioner.reconciliation.results import Owned, RuleResult, Unreadable, of_type
from shared.lifecycle.errors import InstanceUnknown
from shared.lifecycle.instance import Instance
from shared.lifecycle.status import GONE, LIVE
from shared.reconciliation import Kind, Reason, Removed, Unknown

BY_COMMAND: Final = "the journal does not know its instance: `coldstart reconcile --delete-unknown` deletes it"
UNTAGGED: Final = "its tags name no instance: delete it at the provider if nobody needs it"
LEFT_OVER: Final = (
    "attached to nothing, untagged, and like those that our orders ask for: an order that was out of stock may have "
    "left it; delete it at the provider if nobody needs it"
)
UNREADABLE: Final = "no event of its instance can be read: use the version of Coldstart that has recorded them"
BORROWED: Final = "its tags name another instance than the one that has it on record: correct them at the provider"
ELSEWHERE: Final = "its instance was requested of another provider: delete it at the provider if nobody needs it"


@dataclass(frozen=True)
class Ownership:
    """`owners` maps a recorded id to its unreleased instance; `unreadable`: instances that this version cannot read."""

    owners: Mapping[str, UUID]
    unreadable: frozenset[UUID]

    @classmethod
    def of(cls, results: Iterable[RuleResult]) -> "Ownership":
        every = list(results)
        owners = {each: owned.instance.id for owned in of_type(Owned, every) for each in owned.resource_ids}
        return cls(owners, frozenset(each.instance_id for each in of_type(Unreadable, every)))


@dataclass(frozen=True)
class Orphan:
    """A resource of `owner` that must be deleted."""

    resource: Resource
    owner: UUID
    reason: Reason

    @property
    def removed(self) -> Removed:
        resource = self.resource
        return Removed(
            kind=resource.kind, id=resource.id, zone=resource.zone, instance_id=self.owner, reason=self.reason
        )


async def judge(context: ReconciliationContext, ownership: Ownership, resource: Resource) -> Orphan | Unknown | None:
    """An orphan must be deleted, None is in use, an unknown one waits for a person. Raises JournalUnavailable."""
    match await _owner(context, ownership, resource):
        case Instance() as owner:
            settled_before = context.clock() - timedelta(seconds=context.settings.settle_seconds)
            reason = reason_to_remove(owner, resource, settled_before)
            return Orphan(resource, owner.id, reason) if reason else None
        case hint:
            kind, zone = resource.kind, resource.zone
            return Unknown(kind=kind, id=resource.id, zone=zone, instance_id=resource.instance_id, hint=hint)


def reason_to_remove(instance: Instance, resource: Resource, settled_before: datetime) -> Reason | None:
    """None if its instance may still need it, or somebody may be creating or releasing it."""
    is_server = resource.kind is Kind.SERVER
    if is_over(instance) or (is_server and instance.status in GONE):
        return Reason.ENDED if instance.ended_at is None or instance.ended_at < settled_before else None
    second = is_server and instance.resources.server_id not in {None, resource.id}
    return Reason.DUPLICATE if second else None


def is_over(instance: Instance) -> bool:
    """Nothing of it is needed or being released: a resource that still exists was created or listed too late."""
    return instance.resources.released and instance.status not in LIVE


async def _owner(context: ReconciliationContext, ownership: Ownership, resource: Resource) -> Instance | str:
    """The instance that its tags name, or why that instance is not its owner."""
    named = resource.instance_id
    if named is None:
        return UNTAGGED
    if ownership.owners.get(resource.id, named) != named:
        return BORROWED
    try:
        instance = await context.journal.load(named, from_leader=True)
    except InstanceUnknown:
        return UNREADABLE if named in ownership.unreadable else BY_COMMAND
    return instance if instance.specification.provider == context.provider.name else ELSEWHERE
