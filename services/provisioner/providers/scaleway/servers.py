"""Servers: created powered off in our security group, with scratch storage; found by tags, powered, deleted."""

from collections.abc import Mapping
from typing import Final
from uuid import UUID

import structlog
from scaleway.instance.v1 import Server as ScalewayServer
from scaleway.instance.v1 import ServerAction, VolumeServerTemplate, VolumeVolumeType

from services.provisioner.provider import MachineImageGone, Order, OutOfStock, Power, ProviderError, Server, TryAgain
from services.provisioner.providers.scaleway.errors import Busy, NoImage, NotThere, SoldOut
from services.provisioner.providers.scaleway.products import Products
from services.provisioner.providers.scaleway.sdk import PAGE_SIZE, Sdk, pages
from services.provisioner.providers.scaleway.tags import OURS, Tags, installation_in, instance_in
from services.provisioner.providers.scaleway.volumes import SCRATCH_SUFFIX
from shared.reconciliation import Foreign

CLOUD_INIT: Final = "cloud-init"
SCRATCH: Final = "scratch"
BOOT_SLOT: Final = "0"
"""The slot of the volume that Scaleway creates from the image; volumes attached later get the next free slots."""
SCRATCH_SLOT: Final = "1"
POWER: Final[Mapping[str, Power]] = {
    "stopped": Power.OFF,
    "starting": Power.STARTING,
    "running": Power.ON,
    "stopping": Power.STOPPING,
    "stopped in place": Power.ON,  # it keeps its machine, and costs as much as when running
    "stopped_in_place": Power.ON,  # the same in the Python SDK's spelling
    "locked": Power.ON,  # by Scaleway, whatever it was doing
}

NO_ROOM_SAYS: Final = (
    "no machine is free in the server's zone, and a server cannot move: try again later, or request an instance with "
    "another zone or type first"
)

log = structlog.get_logger()


class Servers:
    def __init__(self, sdk: Sdk, tags: Tags, products: Products) -> None:
        self._api = sdk.instance
        self._tags = tags
        self._products = products

    def create(self, order: Order) -> Server | OutOfStock | MachineImageGone:
        """Sends two requests, the second for the user data. If that fails, the server exists and must be adopted.

        So a refusal of the second request is not a refusal of the order, and never counts as without effect. Whoever
        adopts the server meets it again.
        """
        try:
            image = order.machine_image or self._products.image(order.zone, order.instance_type)
            scratch = self._products.scratch_bytes(order.zone, order.instance_type)
        except TryAgain as error:
            error.had_no_effect = True
            raise
        try:
            made = self._api.create_server(
                zone=order.zone,
                commercial_type=order.instance_type,
                name=order.name,
                image=image,
                dynamic_ip_required=True,
                tags=[*self._tags.of(order.instance_id), *_authorized(order.client_key)],
                security_group=order.security_group_id,
                volumes=_scratch_volume(order.name, scratch),
            ).server
        except SoldOut:
            return OutOfStock(order.zone, order.instance_type)
        except NoImage:
            if order.machine_image is None:
                raise
            return MachineImageGone(order.zone, order.machine_image)
        server = _shown(made)
        log.info("server created", server_id=server.id, zone=server.zone, instance_id=str(order.instance_id))
        try:
            self.set_cloud_init(order.zone, server.id, order.cloud_init)
        except ProviderError as error:
            pause = error.retry_after if isinstance(error, TryAgain) else None
            raise TryAgain(error.code, error.message, pause) from error
        return server

    def set_cloud_init(self, zone: str, server_id: str, content: bytes) -> None:
        self._api.set_server_user_data(server_id=server_id, key=CLOUD_INIT, content=content, zone=zone)

    def find(self, zone: str, instance_id: UUID | None = None) -> list[Server]:
        """All servers of this installation, or only that instance's."""
        listed = self._listed(zone, self._tags.of_whom(instance_id))
        return [_shown(server) for server in listed if self._tags.borne(server.tags, instance_id)]

    def foreign(self, zone: str) -> list[Foreign]:
        return [
            Foreign(
                id=server.id,
                zone=server.zone,
                installation=installation_in(server.tags),
                instance_id=instance_in(server.tags),
            )
            for server in self._listed(zone, OURS)
            if self._tags.foreign(server.tags)
        ]

    def _listed(self, zone: str, tag: str) -> list[ScalewayServer]:
        def page(number: int) -> tuple[list[ScalewayServer], int]:
            answer = self._api.list_servers(zone=zone, tags=[tag], page=number, per_page=PAGE_SIZE)
            return answer.servers, answer.total_count

        return list(pages(page))

    def get(self, zone: str, server_id: str) -> Server | None:
        try:
            return _shown(self._api.get_server(zone=zone, server_id=server_id).server)
        except NotThere:
            return None

    def power_on(self, zone: str, server_id: str) -> None:
        try:
            self._api.server_action(zone=zone, server_id=server_id, action=ServerAction.POWERON)
        except SoldOut as error:
            raise TryAgain(error.code, f"{NO_ROOM_SAYS} ({zone})", error.retry_after) from error
        except Busy:
            server = self.get(zone, server_id)
            if server is None or server.power not in {Power.ON, Power.STARTING}:
                raise

    def power_off(self, zone: str, server_id: str) -> None:
        try:
            self._api.server_action(zone=zone, server_id=server_id, action=ServerAction.POWEROFF)
        except NotThere:
            return
        except Busy:
            server = self.get(zone, server_id)
            if server is not None and server.power not in {Power.OFF, Power.STOPPING}:
                raise

    def delete(self, zone: str, server_id: str) -> None:
        try:
            self._api.delete_server(zone=zone, server_id=server_id)
        except NotThere:
            return


def _authorized(client_key: str | None) -> list[str]:
    """The tag from which Scaleway's images, and cloud-init's DataSourceScaleway, let a key in: spaces are underscores.

    https://www.scaleway.com/en/docs/instances/reference-content/add-instance-specific-ssh-keys-using-tags/
    """
    return [] if client_key is None else ["AUTHORIZED_KEY=" + "_".join(client_key.split()[:2])]


def _scratch_volume(server_name: str, size: int) -> dict[str, VolumeServerTemplate] | None:
    """As in https://www.scaleway.com/en/docs/gpu/how-to/use-scratch-storage-h100-instances/, beside the image alone.

    The console and Scaleway's command line add it by themselves, the API does not.
    """
    if not size:
        return None
    name = f"{server_name}{SCRATCH_SUFFIX}"
    return {SCRATCH_SLOT: VolumeServerTemplate(name=name, size=size, volume_type=VolumeVolumeType.SCRATCH)}


def _shown(server: ScalewayServer | None) -> Server:
    if server is None or (power := POWER.get(str(server.state))) is None:
        raise TryAgain("bad_answer", f"a server in an unknown state: {server and server.state}")
    lasting = {slot: each.id for slot, each in server.volumes.items() if str(each.volume_type) != SCRATCH}
    volumes = [lasting[slot] for slot in sorted(lasting, key=int)] if BOOT_SLOT in lasting else []
    addresses = sorted(server.public_ips, key=lambda ip: str(ip.family) != "inet")
    address = addresses[0] if addresses else None
    group = server.security_group
    return Server(
        id=server.id,
        zone=server.zone,
        instance_type=server.commercial_type,
        instance_id=instance_in(server.tags),
        power=power,
        volume_ids=tuple(volumes),
        scratch_ids=tuple(each.id for each in server.volumes.values() if str(each.volume_type) == SCRATCH),
        ip_address=None if address is None else address.address,
        address_id=None if address is None else address.id,
        security_group_id=None if group is None else group.id,
    )
