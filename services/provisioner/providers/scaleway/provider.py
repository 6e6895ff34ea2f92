"""The provider Scaleway: each call is blocking work that runs within one deadline."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from types import TracebackType
from typing import Self
from uuid import UUID

from services.provisioner.provider import (
    Capabilities,
    MachineImage,
    MachineImageGone,
    Order,
    OutOfStock,
    ProviderError,
    Resource,
    Server,
)
from services.provisioner.providers.scaleway.calls import THREADS, Calls
from services.provisioner.providers.scaleway.check import AccountCheck
from services.provisioner.providers.scaleway.images import Images
from services.provisioner.providers.scaleway.network import Network
from services.provisioner.providers.scaleway.prices import SnapshotPrices
from services.provisioner.providers.scaleway.products import Products, in_all_zones
from services.provisioner.providers.scaleway.sdk import Sdk
from services.provisioner.providers.scaleway.servers import Servers
from services.provisioner.providers.scaleway.settings import ScalewaySettings
from services.provisioner.providers.scaleway.tags import Tags
from services.provisioner.providers.scaleway.volumes import Volumes
from shared.offers.instance_types import InstanceType
from shared.offers.provider_status import ProviderCheck
from shared.reconciliation import Foreign


class ScalewayProvider:
    """Holds threads and connections from its creation to the end of its `async with`."""

    name = "scaleway"
    capabilities = Capabilities(power=True, volumes=True, ports=True, cloud_init=True, machine_images=True)

    def __init__(
        self, settings: ScalewaySettings, installation: UUID, call_timeout_s: float, threads: int = THREADS
    ) -> None:
        self.zones: Sequence[str] = settings.zones_in_order
        self._calls = Calls(call_timeout_s, threads)
        self._sdk, tags = Sdk(settings), Tags(installation)
        self._products = Products(self._sdk, settings.image)
        self._servers = Servers(self._sdk, tags, self._products)
        self._images = Images(self._sdk, tags)
        self._prices = SnapshotPrices(self._sdk)
        self._volumes = Volumes(self._sdk, tags, self._products, self._images)
        self._network = Network(self._sdk, tags)
        self._check = AccountCheck(self._sdk, self._calls, self._products, settings)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        await self._calls.close()
        self._sdk.close()

    async def check(self) -> tuple[ProviderCheck, ...]:
        return await self._check()

    async def instance_types(self) -> tuple[InstanceType, ...]:
        """Types with GPUs."""
        return in_all_zones(await self._calls.in_each(self.zones, self._products.gpu_types))

    async def create_server(self, order: Order) -> Server | OutOfStock | MachineImageGone:
        return await self._calls(self._servers.create, order)

    async def set_cloud_init(self, zone: str, server_id: str, cloud_init: bytes) -> None:
        await self._calls(self._servers.set_cloud_init, zone, server_id, cloud_init)

    async def find_servers(self, instance_id: UUID) -> Sequence[Server]:
        return await self._calls.in_each(self.zones, self._servers.find, instance_id)

    async def get_server(self, zone: str, server_id: str) -> Server | None:
        return await self._calls(self._servers.get, zone, server_id)

    async def grow_volume(self, zone: str, volume_id: str, size_gb: int, instance_id: UUID) -> bool:
        return await self._calls(self._volumes.grow, zone, volume_id, size_gb, instance_id)

    async def power_on(self, zone: str, server_id: str) -> None:
        await self._calls(self._servers.power_on, zone, server_id)

    async def power_off(self, zone: str, server_id: str) -> None:
        await self._calls(self._servers.power_off, zone, server_id)

    async def make_security_group(self, zone: str, instance_id: UUID) -> str:
        return await self._calls(self._network.make_security_group, zone, instance_id)

    async def open_ports(
        self,
        server: Server,
        instance_id: UUID,
        security_group_id: str,
        ports: Sequence[int],
        source_ranges: Sequence[str],
    ) -> None:
        await self._calls(self._network.open_ports, server, instance_id, security_group_id, ports, source_ranges)

    async def delete_server(self, zone: str, server_id: str) -> None:
        await self._calls(self._servers.delete, zone, server_id)

    async def find_volumes(self, instance_id: UUID) -> Sequence[tuple[str, str]]:
        return await self._calls.in_each(self.zones, self._volumes.find, instance_id)

    async def delete_volume(self, zone: str, volume_id: str) -> bool:
        return await self._calls(self._volumes.delete, zone, volume_id)

    async def release_network(self, instance_id: UUID, security_group_ids: Sequence[str]) -> Sequence[str]:
        return await self._calls.in_each(self.zones, self._network.release, instance_id, security_group_ids)

    async def store_image(
        self, zone: str, server_id: str, builder_id: UUID, name: str, labels: Mapping[str, str]
    ) -> MachineImage | None:
        stored = await self._calls(self._images.store, zone, server_id, builder_id, name, labels)
        return None if stored is None else await self._priced(stored)

    async def machine_images(self) -> Sequence[MachineImage]:
        found = await self._calls.in_each(self.zones, self._images.every)
        return [await self._priced(image) for image in found]

    async def _priced(self, image: MachineImage) -> MachineImage:
        """Nothing waits for a price list that cannot be read."""
        try:
            price = await self._calls(self._prices.of, image.zone)
        except ProviderError:
            price = None
        if price is None:
            return image
        return replace(image, monthly_price=round(price.amount * image.size_gb, 2), currency=price.currency)

    async def delete_machine_image(self, zone: str, image_id: str) -> bool:
        return await self._calls(self._images.delete, zone, image_id)

    async def delete_disk_snapshot(self, zone: str, snapshot_id: str) -> bool:
        return await self._calls(self._images.delete_snapshot, zone, snapshot_id)

    async def tagged_servers(self) -> Sequence[Server]:
        return await self._calls.in_each(self.zones, self._servers.find)

    async def foreign_servers(self) -> Sequence[Foreign]:
        return await self._calls.in_each(self.zones, self._servers.foreign)

    async def tagged_resources(self) -> Sequence[Resource]:
        volumes = await self._calls.in_each(self.zones, self._volumes.tagged)
        snapshots = await self._calls.in_each(self.zones, self._images.unused)
        return [*volumes, *snapshots, *await self._calls.in_each(self.zones, self._network.tagged)]

    async def leftover_volumes(self) -> Sequence[Resource]:
        return await self._calls.in_each(self.zones, self._volumes.left_over)
