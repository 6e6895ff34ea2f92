"""A cloud in memory that behaves like a real one: late volumes and tags, slow power, calls that fail."""

import asyncio
import time
from collections import defaultdict
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from itertools import count
from typing import Literal
from uuid import UUID

from services.provisioner.provider import (
    SERVER_MISSING,
    Capabilities,
    MachineImage,
    MachineImageGone,
    Order,
    OutOfStock,
    Power,
    Rejected,
    Resource,
    Server,
    TryAgain,
)
from shared.offers.instance_types import InstanceType
from shared.offers.provider_status import ProviderCheck
from shared.reconciliation import Foreign, Kind
from tests.provisioner.fake_images import FakeImages, Snapshot

ABLE = Capabilities(power=True, volumes=True, ports=True, cloud_init=True, machine_images=True)
OFFERED = (
    InstanceType(name="H100-1-80G", zones=("zone-2",), gpus=1, gpu="H100", hourly_price=2.73, currency="EUR"),
    InstanceType(name="L4-1-24G", zones=("zone-1", "zone-2"), gpus=1, gpu="L4", hourly_price=0.75, currency="EUR"),
)
BOOT_GB = 20
"""The size of a boot volume that was not grown."""
Hook = Callable[[], Awaitable[None]]


@dataclass(frozen=True)
class Delays:
    """Seconds."""

    tags: float = 0.0
    group_tags: float = 0.0
    volume: float = 0.0
    power_on: float = 0.0
    address: float = 0.0
    power_off: float = 0.0
    detach: float = 0.0


@dataclass
class Machine:
    """A server, and when it came to be as it is. `asked` is every power command that was accepted.

    `attached` are volumes that somebody else has made.
    """

    server: Server
    order: Order
    made_at: float
    volume_id: str
    cloud_init: bytes
    attached: tuple[str, ...] = ()
    changed_at: float = 0.0
    asked: list[str] = field(default_factory=list)
    deleted_at: float | None = None


@dataclass
class Group:
    """A security group."""

    instance_id: UUID
    zone: str
    made_at: float


@dataclass
class FakeProvider:
    """`calls`: every call in order. `failing`: what the next calls of a name raise, before or after their effect."""

    zones: Sequence[str] = ("zone-1", "zone-2")
    name: str = "scaleway"
    capabilities: Capabilities = ABLE
    delays: Delays = field(default_factory=Delays)
    offered: tuple[InstanceType, ...] = OFFERED
    checks: tuple[ProviderCheck, ...] = ()
    out_of_stock: set[tuple[str, str]] = field(default_factory=set)
    not_sold: dict[tuple[str, str], Rejected] = field(default_factory=dict)
    calls: list[str] = field(default_factory=list)
    machines: dict[str, Machine] = field(default_factory=dict)
    volumes: dict[str, tuple[str, str]] = field(default_factory=dict)
    groups: dict[str, Group] = field(default_factory=dict)
    foreign: list[Foreign] = field(default_factory=list)
    leftovers: list[Resource] = field(default_factory=list)
    images: FakeImages = field(default_factory=FakeImages)
    scratch_types: set[str] = field(default_factory=set)
    """Types with scratch storage."""
    opened: dict[str, tuple[int, ...]] = field(default_factory=dict)
    let_in: dict[str, tuple[str, ...]] = field(default_factory=dict)
    address: str = "127.0.0.1"
    grown: dict[str, int] = field(default_factory=dict)
    tagged_volumes: dict[str, UUID] = field(default_factory=dict)
    failing: dict[str, list[tuple[Literal["before", "after"], BaseException]]] = field(
        default_factory=lambda: defaultdict(list)
    )
    before: dict[str, Hook] = field(default_factory=dict)
    after: dict[str, Hook] = field(default_factory=dict)
    _numbers: "count[int]" = field(default_factory=lambda: count(1))
    _numbers_of_groups: "count[int]" = field(default_factory=lambda: count(1))

    def fail(self, call: str, *errors: BaseException, when: Literal["before", "after"] = "before") -> None:
        self.failing[call] += [(when, error) for error in errors]

    @property
    def alive(self) -> list[str]:
        return [server_id for server_id, machine in self.machines.items() if machine.deleted_at is None]

    @property
    def empty(self) -> bool:
        nothing_stored = not self.images.stored and not self.images.snapshots
        return not self.alive and not self.volumes and not self.groups and nothing_stored

    def group_of(self, server_id: str) -> str | None:
        """Which security group it is in."""
        return self.machines[server_id].server.security_group_id

    def lose(self, server_id: str) -> None:
        """Somebody else deleted it."""
        self.machines[server_id].deleted_at = time.monotonic()

    def attach(self, server_id: str) -> str:
        """Somebody attaches a volume of their own. Returns its id."""
        machine = self.machines[server_id]
        volume_id = f"theirs-{next(self._numbers)}"
        machine.attached = (*machine.attached, volume_id)
        self.volumes[volume_id] = (machine.server.zone, server_id)
        return volume_id

    @asynccontextmanager
    async def _call(self, name: str) -> AsyncGenerator[None]:
        self.calls.append(name)
        if hook := self.before.pop(name, None):
            await hook()
        await asyncio.sleep(0)
        when, error = self.failing[name].pop(0) if self.failing[name] else ("none", Exception())
        if when == "before":
            raise error
        yield
        if hook := self.after.pop(name, None):
            await hook()
        if when == "after":
            raise error

    async def check(self) -> tuple[ProviderCheck, ...]:
        async with self._call("check"):
            return self.checks

    async def instance_types(self) -> tuple[InstanceType, ...]:
        async with self._call("instance_types"):
            return self.offered

    async def create_server(self, order: Order) -> Server | OutOfStock | MachineImageGone:
        async with self._call("create_server"):
            if (order.zone, order.instance_type) in self.out_of_stock:
                return OutOfStock(order.zone, order.instance_type)
            if refusal := self.not_sold.get((order.zone, order.instance_type)):
                raise refusal
            if order.machine_image is not None and self.images.booting(order.zone, order.machine_image) is None:
                return MachineImageGone(order.zone, order.machine_image)
            if order.security_group_id is not None:
                self._group(order.zone, order.security_group_id, had_no_effect=True)
            number = next(self._numbers)
            server = Server(
                id=f"server-{number}",
                zone=order.zone,
                instance_type=order.instance_type,
                instance_id=order.instance_id,
                power=Power.OFF,
                security_group_id=order.security_group_id,
                scratch_ids=(f"scratch-{number}",) if order.instance_type in self.scratch_types else (),
            )
            self.volumes |= dict.fromkeys(server.scratch_ids, (server.zone, server.id))
            self.machines[server.id] = Machine(server, order, time.monotonic(), f"volume-{number}", order.cloud_init)
            return server

    async def set_cloud_init(self, zone: str, server_id: str, cloud_init: bytes) -> None:
        async with self._call("set_cloud_init"):
            machine = self._there(zone, server_id)
            if machine is None:
                raise TryAgain(SERVER_MISSING, f"no server {server_id} in {zone}")
            machine.cloud_init = cloud_init

    async def find_servers(self, instance_id: UUID) -> Sequence[Server]:
        async with self._call("find_servers"):
            return [server for server in self._listed() if server.instance_id == instance_id]

    async def tagged_servers(self) -> Sequence[Server]:
        async with self._call("tagged_servers"):
            return self._listed()

    async def foreign_servers(self) -> Sequence[Foreign]:
        async with self._call("foreign_servers"):
            return list(self.foreign)

    async def get_server(self, zone: str, server_id: str) -> Server | None:
        async with self._call("get_server"):
            machine = self._there(zone, server_id)
            return self._seen(machine) if machine else None

    async def grow_volume(self, zone: str, volume_id: str, size_gb: int, instance_id: UUID) -> bool:
        async with self._call("grow_volume"):
            if volume_id not in self.volumes:
                raise TryAgain(SERVER_MISSING, f"no volume {volume_id} in {zone}")
            self.grown[volume_id] = size_gb
            self.tagged_volumes[volume_id] = instance_id
            return True

    async def power_on(self, zone: str, server_id: str) -> None:
        async with self._call("power_on"):
            machine = self._there(zone, server_id)
            if machine is None:
                raise TryAgain(SERVER_MISSING, f"no server {server_id} in {zone}")
            if self._power(machine) is Power.OFF:
                self._ask(machine, "on")

    async def power_off(self, zone: str, server_id: str) -> None:
        async with self._call("power_off"):
            machine = self._there(zone, server_id)
            if machine is not None and self._power(machine) in {Power.ON, Power.STARTING}:
                self._ask(machine, "off")

    async def make_security_group(self, zone: str, instance_id: UUID) -> str:
        async with self._call("make_security_group"):
            if found := [each for each in self._groups_of(instance_id) if self.groups[each].zone == zone]:
                return min(found)
            group_id = f"group-{next(self._numbers_of_groups)}"
            self.groups[group_id] = Group(instance_id, zone, time.monotonic())
            return group_id

    async def open_ports(
        self,
        server: Server,
        instance_id: UUID,
        security_group_id: str,
        ports: Sequence[int],
        source_ranges: Sequence[str],
    ) -> None:
        async with self._call("open_ports"):
            del instance_id
            self._group(server.zone, security_group_id)
            machine = self.machines[server.id]
            machine.server = replace(machine.server, security_group_id=security_group_id)
            self.opened[server.id] = tuple(ports)
            self.let_in[server.id] = tuple(source_ranges)

    async def delete_server(self, zone: str, server_id: str) -> None:
        async with self._call("delete_server"):
            machine = self._there(zone, server_id)
            if machine is not None:
                if self._power(machine) is not Power.OFF:
                    raise TryAgain("conflict", "the server is not off")
                self._seen(machine)
                machine.deleted_at = time.monotonic()

    async def find_volumes(self, instance_id: UUID) -> Sequence[tuple[str, str]]:
        async with self._call("find_volumes"):
            tagged = [volume_id for volume_id, owner in self.tagged_volumes.items() if owner == instance_id]
            return [(self.volumes[volume_id][0], volume_id) for volume_id in tagged if volume_id in self.volumes]

    async def delete_volume(self, zone: str, volume_id: str) -> bool:
        async with self._call("delete_volume"):
            place, server_id = self.volumes.get(volume_id, ("", ""))
            if place != zone:
                return True
            gone_at = self.machines[server_id].deleted_at
            if gone_at is None or time.monotonic() < gone_at + self.delays.detach:
                return False
            del self.volumes[volume_id]
            return True

    async def release_network(self, instance_id: UUID, security_group_ids: Sequence[str]) -> Sequence[str]:
        async with self._call("release_network"):
            known = {*self._groups_of(instance_id), *(self.groups.keys() & set(security_group_ids))}
            if known & {self.group_of(server_id) for server_id in self.alive}:
                raise TryAgain("resource_in_use", "a server is still in it")
            for group_id in known:
                del self.groups[group_id]
            return sorted(known)

    async def store_image(
        self, zone: str, server_id: str, builder_id: UUID, name: str, labels: Mapping[str, str]
    ) -> MachineImage | None:
        async with self._call("store_image"):
            del name
            machine = self._there(zone, server_id)
            if machine is None:
                if known := self.images.of(builder_id):
                    return known
                raise TryAgain(SERVER_MISSING, f"no server {server_id} in {zone}")
            if self._seen(machine).power is not Power.OFF:
                raise TryAgain("wrong_state", "the server is not off")
            size_gb = self.grown.get(machine.volume_id, BOOT_GB)
            made = Snapshot(zone, machine.volume_id, builder_id, size_gb, time.monotonic())
            return self.images.store(made, labels)
        return None

    async def machine_images(self) -> Sequence[MachineImage]:
        async with self._call("machine_images"):
            return self.images.listed()
        return []

    async def delete_machine_image(self, zone: str, image_id: str) -> bool:
        async with self._call("delete_machine_image"):
            return self.images.delete_image(zone, image_id)

    async def delete_disk_snapshot(self, zone: str, snapshot_id: str) -> bool:
        async with self._call("delete_disk_snapshot"):
            return self.images.delete_snapshot(zone, snapshot_id)

    async def leftover_volumes(self) -> Sequence[Resource]:
        async with self._call("leftover_volumes"):
            return self.leftovers
        return []

    async def tagged_resources(self) -> Sequence[Resource]:
        async with self._call("tagged_resources"):
            volumes = [
                Resource(Kind.VOLUME, volume_id, self.volumes[volume_id][0], owner)
                for volume_id, owner in self.tagged_volumes.items()
                if volume_id in self.volumes
            ]
            visible = time.monotonic() - self.delays.group_tags
            groups = [
                Resource(Kind.SECURITY_GROUP, group_id, group.zone, group.instance_id)
                for group_id, group in self.groups.items()
                if group.made_at <= visible
            ]
            return [*volumes, *groups, *self.images.unused_snapshots()]

    def _group(self, zone: str, group_id: str, *, had_no_effect: bool = False) -> None:
        group = self.groups.get(group_id)
        if group is None or group.zone != zone:
            raise TryAgain(SERVER_MISSING, f"no group {group_id} in {zone}", had_no_effect=had_no_effect)

    def _there(self, zone: str, server_id: str) -> Machine | None:
        machine = self.machines.get(server_id)
        return machine if machine and machine.deleted_at is None and machine.server.zone == zone else None

    def _listed(self) -> list[Server]:
        visible = time.monotonic() - self.delays.tags
        machines = [machine for machine in self.machines.values() if machine.deleted_at is None]
        return [self._seen(machine) for machine in machines if machine.made_at <= visible]

    def _groups_of(self, instance_id: UUID) -> list[str]:
        visible = time.monotonic() - self.delays.group_tags
        return [
            group_id
            for group_id, group in self.groups.items()
            if group.instance_id == instance_id and group.made_at <= visible
        ]

    def _ask(self, machine: Machine, power: str) -> None:
        machine.asked.append(power)
        machine.changed_at = time.monotonic()

    def _power(self, machine: Machine) -> Power:
        for_s = time.monotonic() - machine.changed_at
        match machine.asked[-1:]:
            case ["on"]:
                return Power.ON if for_s >= self.delays.power_on else Power.STARTING
            case ["off"]:
                return Power.OFF if for_s >= self.delays.power_off else Power.STOPPING
        return Power.OFF

    def _seen(self, machine: Machine) -> Server:
        """The server as an answer shows it now. Its boot volume appears after a delay."""
        if time.monotonic() >= machine.made_at + self.delays.volume:
            self.volumes.setdefault(machine.volume_id, (machine.server.zone, machine.server.id))
            machine.server = replace(machine.server, volume_ids=(machine.volume_id, *machine.attached))
        power = self._power(machine)
        has_address = power is Power.ON and time.monotonic() - machine.changed_at >= self.delays.address
        return replace(machine.server, power=power, ip_address=self.address if has_address else None)
