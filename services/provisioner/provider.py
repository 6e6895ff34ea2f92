"""The port to a cloud that rents GPU machines. What it takes to add one is in docs/providers.md's checklist.

Every call has a time-out of its own, under a third of the lease (a holder that lost its lease must not still be
calling). Expected outcomes are returned; these are raised:

ProviderError
├── TryAgain     nothing is wrong with the request: later it may work (`retry_after` seconds, when the cloud says so)
│   └── Silent   nothing was found where there was an answer, and somewhere there was none
└── Rejected     it will never work like this; `code` is stable, `message` says what a person can do

A server or volume that is unexpectedly not there is TryAgain with code SERVER_MISSING: one answer proves nothing, and
reconciliation decides.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, Protocol
from uuid import UUID

from shared.offers.instance_types import InstanceType
from shared.reconciliation import Foreign, Kind

SERVER_MISSING: Final = "server_missing"
TIMED_OUT: Final = "timed_out"
GIGABYTE: Final = 10**9
"""In bytes, wherever something is counted in GB."""


class ProviderError(Exception):
    def __init__(self, code: str, message: str) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message


class TryAgain(ProviderError):
    """`had_no_effect`: the cloud certainly did nothing, so nothing has to be looked for before the next try."""

    def __init__(
        self, code: str, message: str, retry_after: float | None = None, *, had_no_effect: bool = False
    ) -> None:
        super().__init__(code, message)
        self.retry_after = retry_after
        self.had_no_effect = had_no_effect


class Silent(TryAgain):
    """For places that fail one by one and may stay off for long, as one's own machines do."""


class Rejected(ProviderError):
    pass


class Power(StrEnum):
    OFF = "off"
    STARTING = "starting"
    ON = "on"
    STOPPING = "stopping"


@dataclass(frozen=True)
class Capabilities:
    """What there is to do; an action that a provider does not need records its event as skipped.

    `power`: servers are made off and powered on. `volumes`: they boot from a volume that has to grow. `ports`: nothing
    comes in before a port is opened. `cloud_init`: a machine is told its host key and our client key before it boots.
    """

    power: bool
    volumes: bool
    ports: bool
    cloud_init: bool


@dataclass(frozen=True)
class Resource:
    """Anything that costs or blocks something; `instance_id` is read from its tags."""

    kind: Kind
    id: str
    zone: str
    instance_id: UUID | None


@dataclass(frozen=True)
class Server:
    """`instance_id` is read from its tags; `volume_ids` are told a while after creation, once the boot volume is there.

    It comes first; the others came with the image, or were attached by somebody.
    `host_key` is the machine's own public key, where the provider knows one.
    """

    id: str
    zone: str
    instance_type: str
    instance_id: UUID | None
    power: Power
    volume_ids: tuple[str, ...] = ()
    ip_address: str | None = None
    address_id: str | None = None
    security_group_id: str | None = None
    host_key: str | None = None


@dataclass(frozen=True)
class Order:
    """`cloud_init` is a #cloud-config document in bytes; `security_group_id` is where there are `ports`."""

    instance_id: UUID
    name: str
    zone: str
    instance_type: str
    cloud_init: bytes
    security_group_id: str | None = None


@dataclass(frozen=True)
class OutOfStock:
    zone: str
    instance_type: str


class Provider(Protocol):
    """All calls raise ProviderError; those that change the world are safe when repeated, save `create_server`."""

    @property
    def name(self) -> str:
        """What a request calls it."""

    @property
    def zones(self) -> Sequence[str]:
        """Every zone this installation may use, the default one first."""

    @property
    def capabilities(self) -> Capabilities:
        """Which of the port's calls mean something here."""

    async def instance_types(self) -> tuple[InstanceType, ...]: ...

    async def create_server(self, order: Order) -> Server | OutOfStock:
        """A server, powered off, that bears the installation's and the instance's tags, and is in the order's group.

        OutOfStock, Rejected and `had_no_effect` say that there is none: once it is made, all that fails is TryAgain.
        Its boot volume may appear later, and its tags may be found by `find_servers` later.
        """

    async def set_cloud_init(self, zone: str, server_id: str, cloud_init: bytes) -> None:
        """What a server that is off is told when it boots; for one whose `create_server` may have ended too early."""

    async def find_servers(self, instance_id: UUID) -> Sequence[Server]:
        """Those that bear the instance's tag, in all zones; a new one may be missing for the tag's visibility time.

        Raises Silent.
        """

    async def get_server(self, zone: str, server_id: str) -> Server | None:
        """None when the provider says that it does not exist."""

    async def grow_volume(self, zone: str, volume_id: str, size_gb: int, instance_id: UUID) -> bool:
        """Tag the volume as the instance's and make it at least that large, in 10⁹ bytes.

        True once it is; False while it is still growing and has to be asked again.
        """

    async def power_on(self, zone: str, server_id: str) -> None:
        """Ask for it; returns before the server runs. A server that runs already is left alone."""

    async def power_off(self, zone: str, server_id: str) -> None:
        """Ask for it; returns before the server stands. One that is off, or gone, is left alone."""

    async def make_security_group(self, zone: str, instance_id: UUID) -> str:
        """The id of one there that bears the instance's tag: one that is found, else a new one that lets nothing in.

        A new one's tag may be found later, so two calls may make two. Nothing is in it yet.
        """

    async def open_ports(
        self,
        server: Server,
        instance_id: UUID,
        security_group_id: str,
        ports: Sequence[int],
        source_ranges: Sequence[str],
    ) -> None:
        """Let these TCP ports and nothing else in through this group, and put the server into it if it is not there.

        `source_ranges` are CIDR blocks, of IPv4 and IPv6.
        """

    async def delete_server(self, zone: str, server_id: str) -> None:
        """Only a server that is off; its volumes stay. One that is gone is left alone."""

    async def find_volumes(self, instance_id: UUID) -> Sequence[tuple[str, str]]:
        """(zone, volume id) of those that bear the instance's tag."""

    async def delete_volume(self, zone: str, volume_id: str) -> bool:
        """True when it is gone; False when it is still attached and has to be tried again."""

    async def release_network(self, instance_id: UUID, security_group_ids: Sequence[str]) -> Sequence[str]:
        """Delete the addresses and security groups that bear the instance's tag, and the groups of these ids.

        The ids of what was there until now. TryAgain while one is in use.
        """

    async def tagged_servers(self) -> Sequence[Server]:
        """Every server of this installation, whoever's."""

    async def foreign_servers(self) -> Sequence[Foreign]:
        """Every server that bears Coldstart's tag, but not this installation's: to be shown, and left alone."""

    async def tagged_resources(self) -> Sequence[Resource]:
        """Everything else that bears this installation's tag, whoever's."""
