"""Orphans of instances that the journal does not know: deleted by command only."""

import asyncio
from collections.abc import Iterable, Sequence
from typing import Final
from uuid import UUID

from services.provisioner.action_context import Overtaken
from services.provisioner.reconciliation.context import ReconciliationContext, at_once, guarded
from services.provisioner.reconciliation.ownership import Ownership
from services.provisioner.reconciliation.results import RuleResults
from services.provisioner.removal import Removal
from shared.lifecycle.errors import InstanceUnknown
from shared.lifecycle.events import VolumeFound
from shared.reconciliation import Kind, Reason, Removed, Unknown

ONLY_TO_TAG_GB: Final = 1
"""No volume is smaller, so growing one to this size only tags it."""


async def remove_unknown(
    context: ReconciliationContext, ownership: Ownership, unknown: Iterable[Unknown]
) -> RuleResults:
    """Delete these, except those that name no instance or that another has recorded. Raises JournalUnavailable."""
    found: dict[UUID, list[Unknown]] = {}
    for each in unknown:
        named = each.instance_id
        if named is not None and named not in ownership.unreadable and each.id not in ownership.owners:
            found.setdefault(named, []).append(each)
    removals = (
        guarded(f"unknown instance {instance_id}", _Orphans(context, instance_id, resources).remove())
        for instance_id, resources in found.items()
    )
    async for result in at_once(removals):
        yield result


class _Orphans:
    """Everything that was found of one instance."""

    def __init__(self, context: ReconciliationContext, instance_id: UUID, found: Sequence[Unknown]) -> None:
        self._context = context
        self._provider = context.provider
        self._instance_id = instance_id
        self._found = found
        self._volumes = {volume.id: volume.zone for volume in self._of(Kind.VOLUME)}

    async def remove(self) -> RuleResults:
        """Raises Overtaken if the journal knows the instance after all, ProviderError, JournalUnavailable."""
        for server in self._of(Kind.SERVER):
            await self._removal(server.zone).server(server.zone, server.id)
            yield self._removed(Kind.SERVER, server.zone, server.id)
        for volume_id, zone in self._volumes.items():
            await self._removal(zone).volume(zone, volume_id)
            yield self._removed(Kind.VOLUME, zone, volume_id)
        for snapshot in self._of(Kind.DISK_SNAPSHOT):
            await self._guard()
            if await self._provider.delete_disk_snapshot(snapshot.zone, snapshot.id):
                yield self._removed(Kind.DISK_SNAPSHOT, snapshot.zone, snapshot.id)
        if network := [*self._of(Kind.ADDRESS), *self._of(Kind.SECURITY_GROUP)]:
            await self._guard()
            await self._provider.release_network(
                self._instance_id, [group.id for group in self._of(Kind.SECURITY_GROUP)]
            )
            for part in network:
                yield self._removed(part.kind, part.zone, part.id)

    def _of(self, kind: Kind) -> list[Unknown]:
        return [each for each in self._found if each.kind is kind]

    def _removal(self, zone: str) -> Removal:
        async def keep(found: VolumeFound) -> None:
            """No journal keeps its id when its server is deleted, so a tag must. Scratch storage cannot be tagged."""
            if found.volume_id not in self._volumes:
                await self._guard()
                if not found.scratch:
                    await self._provider.grow_volume(zone, found.volume_id, ONLY_TO_TAG_GB, self._instance_id)
                self._volumes[found.volume_id] = zone

        context = self._context
        return Removal(context.provider, context.settings, self._instance_id, self._guard, keep, asyncio.sleep)

    async def _guard(self) -> None:
        try:
            await self._context.journal.load(self._instance_id, from_leader=True)
        except InstanceUnknown:
            return
        raise Overtaken

    def _removed(self, kind: Kind, zone: str, resource_id: str) -> Removed:
        return Removed(kind=kind, id=resource_id, zone=zone, instance_id=self._instance_id, reason=Reason.UNKNOWN)
