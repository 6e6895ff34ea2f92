"""A last look at what a released instance may have left: made by a call that outlived everybody, and listed late."""

import asyncio
from datetime import timedelta
from typing import Final

import structlog

from services.provisioner.provider import Provider
from services.provisioner.removal import Removal
from services.provisioner.settings import ProvisionerSettings
from services.provisioner.undertaking import Overtaken, now
from shared.journal import Journal
from shared.lifecycle.instance import Instance
from shared.lifecycle.status import LIVE

LOOKED_AT_FOR: Final = timedelta(days=1)
"""After its last event; before that, another process has looked. It bounds what a start asks the provider."""

log = structlog.get_logger()


class Sweep:
    def __init__(self, journal: Journal, provider: Provider, settings: ProvisionerSettings) -> None:
        self._journal = journal
        self._provider = provider
        self._settings = settings

    async def __call__(self, instance: Instance) -> bool:
        """Whether nothing of it can be lost any more: looked at once, some time after its release.

        Raises ProviderError, JournalUnavailable.
        """
        if not _released(instance):
            return False
        age = now() - instance.updated_at
        if age <= timedelta(seconds=self._settings.settle_seconds):
            return False
        if age <= LOOKED_AT_FOR:
            try:
                await self._look(instance)
            except Overtaken:  # there was more to release, and somebody is at it
                return False
        return True

    async def _look(self, instance: Instance) -> None:
        async def guard() -> Instance:
            seen = await self._journal.load(instance.id)
            if not _released(seen):
                raise Overtaken
            return seen

        removal = Removal(self._provider, self._settings, instance.id, guard, self._journal.record, asyncio.sleep)
        for zone, volume_id in await self._provider.find_volumes(instance.id):
            log.warning("removing a volume that was left", volume_id=volume_id, instance_id=str(instance.id))
            await removal.volume(zone, volume_id)
        groups = (await guard()).resources.security_group_ids
        if left := await self._provider.release_network(instance.id, groups):
            log.warning("removed what was left of a network", resource_ids=left, instance_id=str(instance.id))


def _released(instance: Instance) -> bool:
    return instance.resources.released and instance.status not in LIVE
