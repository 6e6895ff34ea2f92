"""Everything that one account holds, in memory, found by id within a zone."""

from collections.abc import Iterator
from itertools import product

from simulator.cloud.catalog import BootImage, ServerType, find_image
from simulator.cloud.errors import not_found
from simulator.cloud.resources import Image, ImageState, Ip, Rule, SecurityGroup, Server, Snapshot, Volume
from simulator.settings import SimulatorSettings

MAIL_PORTS = (25, 465, 587)


class Account:
    """Deleted resources stay for the control API; every other method returns living ones only."""

    def __init__(self, settings: SimulatorSettings) -> None:
        self.project_id = str(settings.project_id)
        self.organization_id = str(settings.organization_id)
        self.server_quota = settings.server_quota
        self.zones = settings.zones
        self.all_servers: dict[str, Server] = {}
        self.all_volumes: dict[str, Volume] = {}
        self.all_snapshots: dict[str, Snapshot] = {}
        self.all_images: dict[str, Image] = {}
        self.all_ips: dict[str, Ip] = {}
        self.all_security_groups: dict[str, SecurityGroup] = {}
        for zone in settings.zones:
            self.add_security_group(_default_security_group(zone))

    def add_server(self, server: Server) -> None:
        self.all_servers[server.id] = server

    def add_volume(self, volume: Volume) -> None:
        self.all_volumes[volume.id] = volume

    def add_snapshot(self, snapshot: Snapshot) -> None:
        self.all_snapshots[snapshot.id] = snapshot

    def add_image(self, image: Image) -> None:
        self.all_images[image.id] = image

    def add_ip(self, ip: Ip) -> None:
        self.all_ips[ip.id] = ip

    def add_security_group(self, group: SecurityGroup) -> None:
        self.all_security_groups[group.id] = group

    def servers(self, zone: str | None = None) -> Iterator[Server]:
        return (s for s in self.all_servers.values() if s.deleted_at is None and zone in (None, s.zone))

    def volumes(self, zone: str | None = None, *, block: bool) -> Iterator[Volume]:
        return (
            volume
            for volume in self.all_volumes.values()
            if volume.deleted_at is None and volume.block is block and zone in (None, volume.zone)
        )

    def snapshots(self, zone: str | None = None) -> Iterator[Snapshot]:
        return (s for s in self.all_snapshots.values() if s.deleted_at is None and zone in (None, s.zone))

    def images(self, zone: str | None = None) -> Iterator[Image]:
        """Those that were made here, not the marketplace's."""
        return (i for i in self.all_images.values() if i.deleted_at is None and zone in (None, i.zone))

    def flexible_ips(self, zone: str | None = None) -> Iterator[Ip]:
        return (
            ip for ip in self.all_ips.values() if ip.deleted_at is None and not ip.dynamic and zone in (None, ip.zone)
        )

    def security_groups(self, zone: str | None = None) -> Iterator[SecurityGroup]:
        return (g for g in self.all_security_groups.values() if g.deleted_at is None and zone in (None, g.zone))

    def server(self, zone: str, server_id: str) -> Server:
        server = self.all_servers.get(server_id)
        if server is None or server.deleted_at is not None or server.zone != zone:
            raise not_found("instance_server", server_id)
        return server

    def volume(self, zone: str, volume_id: str, *, block: bool) -> Volume:
        volume = self.all_volumes.get(volume_id)
        if volume is None or volume.deleted_at is not None or volume.zone != zone or volume.block is not block:
            raise not_found("volume" if block else "instance_volume", volume_id)
        return volume

    def snapshot(self, zone: str, snapshot_id: str) -> Snapshot:
        snapshot = self.all_snapshots.get(snapshot_id)
        if snapshot is None or snapshot.deleted_at is not None or snapshot.zone != zone:
            raise not_found("snapshot", snapshot_id)
        return snapshot

    def image(self, zone: str, image_id: str) -> Image:
        image = self.all_images.get(image_id)
        if image is None or image.deleted_at is not None or image.zone != zone:
            raise not_found("instance_image", image_id)
        return image

    def bootable(self, wanted: str, zone: str, server_type: ServerType) -> BootImage | None:
        """The image with this id or label that boots this type here, the marketplace's or an own one."""
        for image in self.images(zone):
            if image.id == wanted and image.state is ImageState.AVAILABLE and server_type.boots_from_block:
                return image.boots
        return find_image(wanted, zone, server_type)

    def ip(self, zone: str, wanted: str) -> Ip:
        """The one with this id or address; the vendor's API accepts both."""
        for ip in self.flexible_ips(zone):
            if wanted in (ip.id, ip.address):
                return ip
        raise not_found("instance_ip", wanted)

    def security_group(self, zone: str, group_id: str) -> SecurityGroup:
        group = self.all_security_groups.get(group_id)
        if group is None or group.deleted_at is not None or group.zone != zone:
            raise not_found("instance_security_group", group_id)
        return group

    def default_security_group(self, zone: str) -> SecurityGroup:
        return next(group for group in self.security_groups(zone) if group.project_default)

    def servers_of(self, group: SecurityGroup) -> list[Server]:
        return [server for server in self.servers(group.zone) if server.security_group is group]


def default_rules() -> list[Rule]:
    """Scaleway blocks outgoing mail by rules that nobody may edit (`enable_default_security`)."""
    blocked = product(("0.0.0.0/0", "::/0"), MAIL_PORTS)
    return [
        Rule("TCP", "outbound", "drop", ip_range, port, None, position, editable=False)
        for position, (ip_range, port) in enumerate(blocked, start=1)
    ]


def _default_security_group(zone: str) -> SecurityGroup:
    return SecurityGroup(
        name="Default security group",
        zone=zone,
        description="Auto generated security group.",
        project_default=True,
        rules=default_rules(),
    )
