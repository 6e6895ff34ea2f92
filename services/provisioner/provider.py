"""The port to a cloud that rents GPU machines. docs/providers.md has the checklist for adding one.

Every call has its own time-out, under a third of the lease: a holder that lost its lease must not still be calling.
Expected outcomes are returned; these are raised:

ProviderError
├── TryAgain     the request is fine and may succeed later (in `retry_after` seconds, if the cloud says so)
│   └── Silent   some places did not answer, and the others have nothing
└── Rejected     it can never succeed like this; `code` is stable, `message` says what a person can do

A server or volume that is unexpectedly missing is TryAgain with code SERVER_MISSING: one answer proves nothing, and
reconciliation decides.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Final, Protocol
from uuid import UUID

from shared.offers.instance_types import InstanceType
from shared.offers.provider_status import ProviderCheck
from shared.reconciliation import Foreign, Kind

SERVER_MISSING: Final = "server_missing"
TIMED_OUT: Final = "timed_out"
GIGABYTE: Final = 10**9
"""Bytes in a GB."""


class ProviderError(Exception):
    def __init__(self, code: str, message: str) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message


class TryAgain(ProviderError):
    """`had_no_effect`: the cloud certainly did nothing, so the next try need not look for anything first."""

    def __init__(
        self, code: str, message: str, retry_after: float | None = None, *, had_no_effect: bool = False
    ) -> None:
        super().__init__(code, message)
        self.retry_after = retry_after
        self.had_no_effect = had_no_effect


class Silent(TryAgain):
    """For providers whose places fail singly and may stay off for long, such as one's own machines."""


class Rejected(ProviderError):
    pass


class Power(StrEnum):
    OFF = "off"
    STARTING = "starting"
    ON = "on"
    STOPPING = "stopping"


@dataclass(frozen=True)
class Capabilities:
    """What the provider can do. An action that it does not need records its event as skipped.

    `power`: servers are created off and powered on. `volumes`: they boot from a volume that has to grow. `ports`:
    nothing comes in before a port is opened. `cloud_init`: a machine gets its host key and our client key before it
    boots. `machine_images`: the boot disk of a server that is off can be stored, and servers are created from it.
    """

    power: bool
    volumes: bool
    ports: bool
    cloud_init: bool
    machine_images: bool


@dataclass(frozen=True)
class Resource:
    """Anything that costs money or blocks something; `instance_id` comes from its tags."""

    kind: Kind
    id: str
    zone: str
    instance_id: UUID | None


@dataclass(frozen=True)
class Server:
    """`instance_id` comes from its tags. `volume_ids` are empty until the boot volume exists, some time after creation.

    The boot volume comes first; the others came with the image, or somebody attached them. `scratch_ids` are volumes on
    the machine's own storage: they are there from the creation on, and a full stop erases what is on them.
    `host_key` is the machine's own public key, if the provider knows one.
    """

    id: str
    zone: str
    instance_type: str
    instance_id: UUID | None
    power: Power
    volume_ids: tuple[str, ...] = ()
    scratch_ids: tuple[str, ...] = ()
    ip_address: str | None = None
    address_id: str | None = None
    security_group_id: str | None = None
    host_key: str | None = None


@dataclass(frozen=True)
class MachineImage:
    """A copy of a boot disk, from which servers of its zone are created. `builder_id` and `labels` are in its tags.

    `builder_id` is the instance whose disk it was. No server boots from one that is not `available`: it is still being
    made, or broken. `size_gb` is what is paid for; `monthly_price` is for all of it, None if it is not known.
    """

    id: str
    zone: str
    builder_id: UUID | None
    created_at: datetime
    size_gb: int
    labels: Mapping[str, str]
    available: bool
    monthly_price: float | None = None
    currency: str | None = None


@dataclass(frozen=True)
class Order:
    """`cloud_init` is a #cloud-config document in bytes; `security_group_id` is set if the provider has `ports`.

    `machine_image` is the id of an image in this zone; None: the provider's plain image.

    `client_key` is our public key, as in an authorized_keys file. The machine must let it in as root, after every boot.
    It is in `cloud_init`, too; a provider whose images write root's authorized_keys hands it over in their way as well.
    """

    instance_id: UUID
    name: str
    zone: str
    instance_type: str
    cloud_init: bytes = field(repr=False)
    security_group_id: str | None = None
    client_key: str | None = None
    machine_image: str | None = None


@dataclass(frozen=True)
class OutOfStock:
    zone: str
    instance_type: str


@dataclass(frozen=True)
class MachineImageGone:
    """The order's image is not there, or does not boot this type. No server was created."""

    zone: str
    image_id: str


class Provider(Protocol):
    """All calls raise ProviderError. Those that change the world are safe when repeated, except `create_server`."""

    @property
    def name(self) -> str:
        """Its name in requests."""

    @property
    def zones(self) -> Sequence[str]:
        """Every zone that this installation may use, the default one first."""

    @property
    def capabilities(self) -> Capabilities:
        """Which of the port's calls have an effect here."""

    async def check(self) -> tuple[ProviderCheck, ...]:
        """Ask what a launch will need, such as credentials, permissions, quota, zones and the image. Changes nothing.

        What is wrong is returned, with what a person can do about it. If one answer makes the others pointless, they
        are left out.
        """

    async def instance_types(self) -> tuple[InstanceType, ...]: ...

    async def create_server(self, order: Order) -> Server | OutOfStock | MachineImageGone:
        """Create a server: powered off, with the installation's and the instance's tags, in the order's group.

        It has all the scratch storage that its type can have. If the order names a machine image, its boot volume is a
        copy of that image, and as large at least.

        OutOfStock, MachineImageGone, Rejected and `had_no_effect` mean that none was created. Once it exists, every
        failure is TryAgain. Its boot volume may appear later, and `find_servers` may find its tags later.
        """

    async def set_cloud_init(self, zone: str, server_id: str, cloud_init: bytes) -> None:
        """Set what a server that is off gets when it boots; for one whose `create_server` may have ended too early."""

    async def find_servers(self, instance_id: UUID) -> Sequence[Server]:
        """Servers with the instance's tag, in all zones; a new one may be missing for the tag's visibility time.

        Raises Silent.
        """

    async def get_server(self, zone: str, server_id: str) -> Server | None:
        """None if the provider says that it does not exist."""

    async def grow_volume(self, zone: str, volume_id: str, size_gb: int, instance_id: UUID) -> bool:
        """Tag the volume as the instance's and make it at least that large, in 10⁹ bytes.

        True once it is; False while it is still growing: ask again.
        """

    async def power_on(self, zone: str, server_id: str) -> None:
        """Request it; returns before the server runs. Does nothing if the server runs already."""

    async def power_off(self, zone: str, server_id: str) -> None:
        """Request it; returns before the server is off. Does nothing if the server is off or gone."""

    async def make_security_group(self, zone: str, instance_id: UUID) -> str:
        """The id of a group with the instance's tag in this zone: an existing one, else a new one that lets nothing in.

        A new group's tag may be found later, so two calls may create two. Nothing is in it yet.
        """

    async def open_ports(
        self,
        server: Server,
        instance_id: UUID,
        security_group_id: str,
        ports: Sequence[int],
        source_ranges: Sequence[str],
    ) -> None:
        """Let only these TCP ports in through this group, and put the server into it if it is not in it.

        `source_ranges` are CIDR blocks, of IPv4 and IPv6.
        """

    async def delete_server(self, zone: str, server_id: str) -> None:
        """Delete a server that is off; its volumes stay. Does nothing if the server is gone."""

    async def find_volumes(self, instance_id: UUID) -> Sequence[tuple[str, str]]:
        """(zone, volume id) of the volumes with the instance's tag."""

    async def delete_volume(self, zone: str, volume_id: str) -> bool:
        """True if it is gone; False if it is still attached: try again."""

    async def release_network(self, instance_id: UUID, security_group_ids: Sequence[str]) -> Sequence[str]:
        """Delete the addresses and security groups with the instance's tag, and the groups with these ids.

        Returns the ids of those that existed. TryAgain while one is in use.
        """

    async def store_image(
        self, zone: str, server_id: str, builder_id: UUID, name: str, labels: Mapping[str, str]
    ) -> MachineImage | None:
        """Store the boot disk of a server that is off, with these labels; None while that takes: ask again.

        The builder's image or what there is of it is looked for first, so repeating makes no second one. Two callers
        at once may: then every later answer names the same one, and what is left of the other is listed by its tag.
        If storing has failed, what it left is deleted and TryAgain is raised. TryAgain while the server is not off.

        Keys of labels are words of lower-case letters; values have neither spaces nor control characters.
        """

    async def machine_images(self) -> Sequence[MachineImage]:
        """Every machine image of this installation, in all zones; a new one may be missing for some time."""

    async def delete_machine_image(self, zone: str, image_id: str) -> bool:
        """Delete the image, then what it was made of. True once all is gone; False while that takes: ask again.

        Servers that were created from it keep their disks. If nobody asks again, the rest is listed by its tag.
        """

    async def delete_disk_snapshot(self, zone: str, snapshot_id: str) -> bool:
        """True if it is gone; False if an image still needs it, or it is still being made: try again."""

    async def tagged_servers(self) -> Sequence[Server]:
        """Every server of this installation."""

    async def foreign_servers(self) -> Sequence[Foreign]:
        """Every server with Coldstart's tag, but not this installation's. They are only shown."""

    async def tagged_resources(self) -> Sequence[Resource]:
        """Every other resource with this installation's tag: of disk snapshots, those that no image needs."""

    async def leftover_volumes(self) -> Sequence[Resource]:
        """Volumes that a refused order may have left: attached to nothing and untagged. They are only shown."""
