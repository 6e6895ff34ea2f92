"""Deletes a server without leaving anything behind: its volumes' ids are recorded first, then it is deleted.

What somebody else attached to it is detached and kept.
"""

import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Final
from uuid import UUID

from services.provisioner.action_context import now
from services.provisioner.polling import looks
from services.provisioner.provider import Power, Provider, Server, TryAgain
from services.provisioner.settings import ProvisionerSettings
from shared.lifecycle.events import VolumeFound, VolumeResized
from shared.lifecycle.instance import Instance

STILL_ON: Final = "server_still_on"
STILL_ATTACHED: Final = "volume_still_attached"


@dataclass(frozen=True)
class Removal:
    """`guard` is called right before each call that changes the world; `record` records what is already true.

    `guard` returns the instance from the journal, None if the journal does not know it.
    """

    provider: Provider
    settings: ProvisionerSettings
    instance_id: UUID
    guard: Callable[[], Awaitable[Instance | None]]
    record: Callable[[VolumeFound], Awaitable[object]]
    sleep: Callable[[float], Awaitable[None]]
    _recorded: set[str] = field(default_factory=set)

    async def server(self, zone: str, server_id: str) -> bool:
        """Delete the server; returns whether it still existed. Its volumes stay, recorded. Raises ProviderError."""
        server = await self._look(zone, server_id)
        if server is None:
            return False
        await self._power_off(server)
        await self._wait_for_its_volumes(server)
        await self.guard()
        await self.provider.delete_server(zone, server_id)
        return True

    async def volume(self, zone: str, volume_id: str) -> None:
        """Raises TryAgain if something still uses it, ProviderError."""
        patience = time.monotonic() + self.settings.detach_seconds
        pauses = looks(self.settings.poll_seconds)
        while True:
            await self.guard()
            if await self.provider.delete_volume(zone, volume_id):
                return
            if time.monotonic() > patience:
                raise TryAgain(STILL_ATTACHED, f"volume {volume_id} is still attached")
            await self.sleep(next(pauses))

    async def _look(self, zone: str, server_id: str) -> Server | None:
        server = await self.provider.get_server(zone, server_id)
        for volume_id in _own_volumes(server, await self.guard()) if server else ():
            await self._note(volume_id, server_id)
            self._recorded.add(server_id)
        for volume_id in server.scratch_ids if server else ():
            await self._note(volume_id, server_id, scratch=True)
        return server

    async def _note(self, volume_id: str, server_id: str, *, scratch: bool = False) -> None:
        found = VolumeFound(
            instance_id=self.instance_id, occurred_at=now(), volume_id=volume_id, server_id=server_id, scratch=scratch
        )
        await self.record(found)

    async def _power_off(self, server: Server) -> None:
        if server.power is Power.OFF or not self.provider.capabilities.power:
            return
        await self.guard()
        await self.provider.power_off(server.zone, server.id)
        patience = time.monotonic() + self.settings.power_off_seconds
        pauses = looks(self.settings.poll_seconds)
        while (found := await self._look(server.zone, server.id)) is not None and found.power is not Power.OFF:
            if time.monotonic() > patience:
                raise TryAgain(STILL_ON, f"server {server.id} is still {found.power}")
            await self.sleep(next(pauses))

    async def _wait_for_its_volumes(self, server: Server) -> None:
        """The provider creates a boot volume late. Deleting the server before that would leave an unknown volume."""
        if not self.provider.capabilities.volumes:
            return
        patience = time.monotonic() + self.settings.volume_patience_seconds
        pauses = looks(self.settings.poll_seconds)
        while not await self._a_volume_is_recorded(server.id):
            if await self._look(server.zone, server.id) is None or time.monotonic() > patience:
                return
            await self.sleep(next(pauses))

    async def _a_volume_is_recorded(self, server_id: str) -> bool:
        instance = await self.guard()
        known = instance.resources.volumes if instance else ()
        lasting = (volume for volume in known if not volume.scratch)
        return server_id in self._recorded or any(volume.server_id == server_id for volume in lasting)


def _own_volumes(server: Server, instance: Instance | None) -> Sequence[str]:
    """The attached volumes that belong to the instance: all that came with it, if nobody can have attached another one.

    Those of the claimed server were recorded before it was powered on, and no other server ever is. For an instance
    that no journal knows, only the boot volume is certain; tagged volumes are found by their tag.
    """
    if instance is None:
        return server.volume_ids[:1]
    claimed = server.id == instance.resources.server_id
    return () if claimed and instance.reached(VolumeResized) else server.volume_ids
