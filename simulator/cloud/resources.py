"""What an account can hold. Plain state; other modules change it."""

import asyncio
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from uuid import uuid4

from simulator.cloud.catalog import GIGABYTE, SNAPSHOT_GB_HOUR, BootImage, ServerType
from simulator.cloud.ports import Host


def now() -> datetime:
    return datetime.now(UTC)


def new_id() -> str:
    return str(uuid4())


class ServerState(StrEnum):
    STOPPED = "stopped"
    STARTING = "starting"
    RUNNING = "running"
    STOPPING = "stopping"


class VolumeStatus(StrEnum):
    AVAILABLE = "available"
    IN_USE = "in_use"
    UPDATING = "updating"


class SnapshotStatus(StrEnum):
    CREATING = "creating"
    AVAILABLE = "available"
    IN_USE = "in_use"
    ERROR = "error"


class ImageState(StrEnum):
    CREATING = "creating"
    AVAILABLE = "available"
    ERROR = "error"


@dataclass(frozen=True)
class Moment:
    at: datetime
    what: str


@dataclass
class Volume:
    """A block volume (`block`) or a local one. `snapshot`: the image's, of a boot volume.

    `growing_to`: the size that it has once it is no longer `updating`.
    """

    name: str
    zone: str
    size: int
    block: bool
    server_id: str | None
    tags: tuple[str, ...] = ()
    scratch: bool = False
    """A local one on the machine's own storage."""
    id: str = field(default_factory=new_id)
    reference_id: str = field(default_factory=new_id)
    snapshot: str | None = None
    growing_to: int | None = None
    created_at: datetime = field(default_factory=now)
    updated_at: datetime = field(default_factory=now)
    detached_at: datetime | None = None
    deleted_at: datetime | None = None

    @property
    def status(self) -> VolumeStatus:
        if self.growing_to is not None:
            return VolumeStatus.UPDATING
        return VolumeStatus.AVAILABLE if self.server_id is None else VolumeStatus.IN_USE


def boot_volume(image: BootImage, zone: str, server_id: str | None) -> Volume:
    """Name, size and snapshot as in terraform-provider-scaleway, server-scratch-storage, interaction 12."""
    return Volume(
        name=f"{image.name}_sbs_volume_0" if image.block else image.name,
        zone=zone,
        size=image.size,
        block=image.block,
        server_id=server_id,
        snapshot=image.snapshot_in(zone) if image.block else None,
    )


@dataclass
class Snapshot:
    """Of a block volume. `listed_tags` are the tags that lists show; they follow `tags` after the scenario's delay.

    `image_id`: the image that refers to it. `held`: it still counts as in use, though that image was deleted.
    """

    name: str
    zone: str
    size: int
    volume_id: str
    tags: tuple[str, ...] = ()
    listed_tags: tuple[str, ...] = ()
    id: str = field(default_factory=new_id)
    reference_id: str = field(default_factory=new_id)
    made: bool = False
    failed: bool = False
    image_id: str | None = None
    held: bool = False
    created_at: datetime = field(default_factory=now)
    updated_at: datetime = field(default_factory=now)
    deleted_at: datetime | None = None

    @property
    def status(self) -> SnapshotStatus:
        if self.failed:
            return SnapshotStatus.ERROR
        if not self.made:
            return SnapshotStatus.CREATING
        return SnapshotStatus.IN_USE if self.image_id is not None or self.held else SnapshotStatus.AVAILABLE

    @property
    def hourly_price(self) -> float:
        """In euros."""
        return self.size / GIGABYTE * SNAPSHOT_GB_HOUR


@dataclass
class Image:
    """One that somebody has made of a snapshot; `listed_tags` as for snapshots."""

    name: str
    zone: str
    snapshot_id: str
    size: int
    tags: tuple[str, ...] = ()
    listed_tags: tuple[str, ...] = ()
    id: str = field(default_factory=new_id)
    state: ImageState = ImageState.CREATING
    created_at: datetime = field(default_factory=now)
    deleted_at: datetime | None = None

    @property
    def boots(self) -> BootImage:
        """What a server boots from it."""
        return BootImage(self.name, self.name, block=True, fixed_id=self.id, snapshot=self.snapshot_id, size=self.size)


@dataclass
class Ip:
    """A public address: dynamic (it goes with the power) or flexible (it stays until deleted)."""

    address: str
    zone: str
    dynamic: bool
    server_id: str | None = None
    tags: tuple[str, ...] = ()
    id: str = field(default_factory=new_id)
    ipam_id: str = field(default_factory=new_id)
    deleted_at: datetime | None = None


@dataclass
class Rule:
    protocol: str
    direction: str
    action: str
    ip_range: str
    dest_port_from: int | None
    dest_port_to: int | None
    position: int
    editable: bool = True
    id: str = field(default_factory=new_id)


@dataclass
class SecurityGroup:
    """`listed_tags` are the tags that lists show; they follow `tags` after the scenario's delay."""

    name: str
    zone: str
    description: str = ""
    tags: tuple[str, ...] = ()
    listed_tags: tuple[str, ...] = ()
    stateful: bool = True
    inbound_default_policy: str = "accept"
    outbound_default_policy: str = "accept"
    enable_default_security: bool = True
    project_default: bool = False
    rules: list[Rule] = field(default_factory=list)
    id: str = field(default_factory=new_id)
    created_at: datetime = field(default_factory=now)
    modified_at: datetime = field(default_factory=now)
    deleted_at: datetime | None = None


@dataclass
class Server:
    """`listed_tags` are the tags that lists show; they follow `tags` after the scenario's delay."""

    name: str
    zone: str
    type: ServerType
    image: BootImage
    security_group: SecurityGroup
    dynamic_ip_required: bool
    protected: bool
    tags: tuple[str, ...] = ()
    listed_tags: tuple[str, ...] = ()
    id: str = field(default_factory=new_id)
    state: ServerState = ServerState.STOPPED
    state_detail: str = ""
    mac_address: str = ""
    user_data: dict[str, bytes] = field(default_factory=dict)
    volumes: list[Volume] = field(default_factory=list)
    """The boot volume, and what was attached later."""
    scratch: Volume | None = None
    ips: list[Ip] = field(default_factory=list)
    history: list[Moment] = field(default_factory=list)
    created_at: datetime = field(default_factory=now)
    modified_at: datetime = field(default_factory=now)
    deleted_at: datetime | None = None
    terminating: bool = False
    host: Host | None = None
    transition: asyncio.Task[None] | None = None

    @property
    def booting(self) -> bool:
        return self.state is ServerState.RUNNING and self.state_detail == "booting kernel"

    def note(self, what: str) -> None:
        """Record what happened, for the control API's history."""
        self.modified_at = now()
        self.history.append(Moment(self.modified_at, what))
