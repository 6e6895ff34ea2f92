"""By command only: what bears the tag of an instance that the journal does not know is deleted."""

import asyncio
from collections.abc import Sequence
from typing import Final
from uuid import UUID

from services.provisioner.action_context import Overtaken
from services.provisioner.removal import Removal
from services.provisioner.round import Round
from shared.lifecycle.errors import InstanceUnknown
from shared.lifecycle.events import VolumeFound
from shared.reconciliation import Kind, Reason, Removed, Unknown

ONLY_TO_TAG_GB: Final = 1
"""No volume is smaller, so growing it to this size does no more than tag it."""


async def remove_unknown(this: Round) -> None:
    """All that this round found unknown, but for what names no instance, or is on the record of another.

    Raises JournalUnavailable.
    """
    found: dict[UUID, list[Unknown]] = {}
    for each in this.unknown:
        if each.instance_id is not None and each.instance_id not in this.unreadable and each.id not in this.owned:
            found.setdefault(each.instance_id, []).append(each)
    await this.do(_Disowned(this, instance_id, resources).remove for instance_id, resources in found.items())


class _Disowned:
    """All that was found of one instance. What went is no longer unknown, but removed."""

    def __init__(self, this: Round, instance_id: UUID, found: Sequence[Unknown]) -> None:
        self._round = this
        self._provider = this.provider
        self._instance_id = instance_id
        self._found = found
        self._volumes = {volume.id: volume.zone for volume in self._of(Kind.VOLUME)}

    async def remove(self) -> None:
        """Raises JournalUnavailable."""
        with self._round.noting(f"unknown instance {self._instance_id}"):
            await self._remove()

    async def _remove(self) -> None:
        """Raises Overtaken when the journal knows the instance after all, ProviderError, JournalUnavailable."""
        for server in self._of(Kind.SERVER):
            await self._removal(server.zone).server(server.zone, server.id)
            self._tell(Kind.SERVER, server.zone, server.id)
        for volume_id, zone in self._volumes.items():
            await self._removal(zone).volume(zone, volume_id)
            self._tell(Kind.VOLUME, zone, volume_id)
        if network := [*self._of(Kind.ADDRESS), *self._of(Kind.SECURITY_GROUP)]:
            await self._guard()
            await self._provider.release_network(
                self._instance_id, [group.id for group in self._of(Kind.SECURITY_GROUP)]
            )
            for part in network:
                self._tell(part.kind, part.zone, part.id)

    def _of(self, kind: Kind) -> list[Unknown]:
        return [each for each in self._found if each.kind is kind]

    def _removal(self, zone: str) -> Removal:
        async def keep(found: VolumeFound) -> None:
            """No journal keeps its id when its server goes, but its tag does."""
            if found.volume_id not in self._volumes:
                await self._guard()
                await self._provider.grow_volume(zone, found.volume_id, ONLY_TO_TAG_GB, self._instance_id)
                self._volumes[found.volume_id] = zone

        this = self._round
        return Removal(this.provider, this.settings, self._instance_id, self._guard, keep, asyncio.sleep)

    async def _guard(self) -> None:
        try:
            await self._round.journal.load(self._instance_id)
        except InstanceUnknown:
            return
        raise Overtaken

    def _tell(self, kind: Kind, zone: str, resource_id: str) -> None:
        this = self._round
        this.unknown = [each for each in this.unknown if (each.kind, each.id) != (kind, resource_id)]
        this.remove(Removed(kind=kind, id=resource_id, zone=zone, instance_id=self._instance_id, reason=Reason.UNKNOWN))
