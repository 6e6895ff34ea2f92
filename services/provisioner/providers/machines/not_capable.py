"""The port's calls that have no meaning for one's own machines: no volumes, ports or images are Coldstart's to make."""

from collections.abc import Mapping, Sequence
from typing import Final
from uuid import UUID

from services.provisioner.provider import SERVER_MISSING, MachineImage, Rejected, Resource, Server, TryAgain

NOT_CAPABLE: Final = "not_capable"


class NotCapable:
    """Each does nothing where there is nothing to do, and raises where that would be a false success."""

    async def grow_volume(self, zone: str, volume_id: str, size_gb: int, instance_id: UUID) -> bool:
        del size_gb, instance_id
        raise TryAgain(SERVER_MISSING, f"no volume {volume_id} in {zone}: machines have none of their own")

    async def make_security_group(self, zone: str, instance_id: UUID) -> str:
        del instance_id
        raise Rejected(NOT_CAPABLE, f"nothing but their owner opens the ports of the machines in {zone}")

    async def open_ports(
        self,
        server: Server,
        instance_id: UUID,
        security_group_id: str,
        ports: Sequence[int],
        source_ranges: Sequence[str],
    ) -> None:
        del instance_id, security_group_id, ports, source_ranges
        raise Rejected(NOT_CAPABLE, f"nothing but its owner opens the ports of machine {server.id}")

    async def find_volumes(self, instance_id: UUID) -> Sequence[tuple[str, str]]:
        del instance_id
        return []

    async def delete_volume(self, zone: str, volume_id: str) -> bool:
        """True: there are no volumes."""
        del zone, volume_id
        return True

    async def release_network(self, instance_id: UUID, security_group_ids: Sequence[str]) -> Sequence[str]:
        del instance_id, security_group_ids
        return []

    async def store_image(
        self, zone: str, server_id: str, builder_id: UUID, name: str, labels: Mapping[str, str]
    ) -> MachineImage | None:
        del zone, builder_id, name, labels
        raise Rejected(NOT_CAPABLE, f"machine {server_id} is not Coldstart's to copy")

    async def machine_images(self) -> Sequence[MachineImage]:
        return []

    async def delete_machine_image(self, zone: str, image_id: str) -> bool:
        """True: there are no images."""
        del zone, image_id
        return True

    async def delete_disk_snapshot(self, zone: str, snapshot_id: str) -> bool:
        """True: there are no snapshots."""
        del zone, snapshot_id
        return True

    async def tagged_resources(self) -> Sequence[Resource]:
        return []

    async def leftover_volumes(self) -> Sequence[Resource]:
        return []
