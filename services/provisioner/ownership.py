"""Whose a resource at the provider is, by the journal, and whether it may go."""

from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from services.provisioner.provider import Resource
from services.provisioner.round import Round
from shared.lifecycle.errors import InstanceUnknown
from shared.lifecycle.instance import Instance
from shared.lifecycle.status import GONE, LIVE
from shared.reconciliation import Kind, Reason, Unknown

BY_COMMAND: Final = "the journal does not know its instance: `coldstart reconcile --delete-unknown` deletes it"
UNTAGGED: Final = "its tags name no instance: delete it at the provider if nobody needs it"
UNREADABLE: Final = "no event of its instance can be read: use the version of Coldstart that has recorded them"
BORROWED: Final = "its tags name another instance than the one that has it on record: correct them at the provider"
ELSEWHERE: Final = "its instance was requested of another provider: delete it at the provider if nobody needs it"


async def judge(this: Round, resource: Resource) -> tuple[UUID, Reason] | None:
    """The instance that it has to be taken away from and why, if it has to. What nobody owns is noted as unknown.

    Raises JournalUnavailable.
    """
    match await _owner(this, resource):
        case Instance() as owner:
            settled_before = this.clock() - timedelta(seconds=this.settings.settle_seconds)
            reason = reason_to_remove(owner, resource, settled_before)
            return (owner.id, reason) if reason else None
        case hint:
            kind, zone = resource.kind, resource.zone
            this.unknown.append(
                Unknown(kind=kind, id=resource.id, zone=zone, instance_id=resource.instance_id, hint=hint)
            )
            return None


def reason_to_remove(instance: Instance, resource: Resource, settled_before: datetime) -> Reason | None:
    """None for what its instance may still need, and while somebody may be making or releasing it."""
    is_server = resource.kind is Kind.SERVER
    if is_over(instance) or (is_server and instance.status in GONE):
        return Reason.ENDED if instance.ended_at is None or instance.ended_at < settled_before else None
    second = is_server and instance.resources.server_id not in {None, resource.id}
    return Reason.DUPLICATE if second else None


def is_over(instance: Instance) -> bool:
    """Nothing of it is needed or being released: what is there all the same was made or listed too late."""
    return instance.resources.released and instance.status not in LIVE


async def _owner(this: Round, resource: Resource) -> Instance | str:
    """The instance that its tags name, or why that is not its owner."""
    named = resource.instance_id
    if named is None:
        return UNTAGGED
    if this.owned.get(resource.id, named) != named:
        return BORROWED
    try:
        instance = await this.journal.load(named)
    except InstanceUnknown:
        return UNREADABLE if named in this.unreadable else BY_COMMAND
    return instance if instance.specification.provider == this.provider.name else ELSEWHERE
