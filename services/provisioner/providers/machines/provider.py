"""The provider of one's own machines: creating claims a machine, deleting cleans and releases it."""

import asyncio
from collections.abc import Callable, Sequence
from typing import Final
from uuid import UUID

import structlog

from services.provisioner.provider import (
    SERVER_MISSING,
    Capabilities,
    MachineImageGone,
    Order,
    OutOfStock,
    Power,
    Rejected,
    Server,
    Silent,
    TryAgain,
)
from services.provisioner.providers.machines.claims import Claim, Claims
from services.provisioner.providers.machines.inventory import Inventory, InventoryInvalid, Machine
from services.provisioner.providers.machines.not_capable import NotCapable
from shared.machine import Shell
from shared.offers.instance_types import InstanceType
from shared.offers.provider_status import ProviderCheck
from shared.reconciliation import Foreign

NAME: Final = "machines"
FILE_INVALID: Final = "machines_file_invalid"

log = structlog.get_logger()


class MachinesProvider(NotCapable):
    """A server is one machine used by one instance, `<machine>/<instance>`; the next instance's is another server.

    No answer does not mean no: whatever depends on a machine that does not answer is TryAgain. So is everything until
    the file of machines could be read once; it is then used as it was.
    """

    name = NAME
    capabilities = Capabilities(power=False, volumes=False, ports=False, cloud_init=False, machine_images=False)

    def __init__(self, read: Callable[[], Inventory], installation: UUID, shell: Shell, call_timeout_s: float) -> None:
        self._read = read
        self._as_read: Inventory | None = None
        self._claims = Claims(shell, installation)
        self._timeout_s = call_timeout_s

    @property
    def _inventory(self) -> Inventory:
        if self._as_read is None:
            try:
                self._as_read = self._read()
            except InventoryInvalid as error:
                raise TryAgain(FILE_INVALID, f"COLDSTART_MACHINES: {error}", had_no_effect=True) from error
        return self._as_read

    @property
    def _machines(self) -> Sequence[Machine]:
        return self._inventory.machine

    @property
    def zones(self) -> Sequence[str]:
        """Raises TryAgain."""
        return self._inventory.zones

    async def check(self) -> tuple[ProviderCheck, ...]:
        """Whether the file can be read and says what it said, and which machines answer."""
        try:
            machines = self._machines
        except TryAgain as error:
            return (ProviderCheck.failed("file", error.message),)
        return (self._file_check(), await self._machines_check(machines))

    def _file_check(self) -> ProviderCheck:
        try:
            changed = self._read() != self._as_read
        except InventoryInvalid as error:
            return ProviderCheck.limited("file", f"COLDSTART_MACHINES: {error}; until a restart it is used as it was")
        if changed:
            return ProviderCheck.limited("file", "it has changed: restart the provisioner, which reads it only once")
        return ProviderCheck.passed("file", "the file of COLDSTART_MACHINES can be read")

    async def _machines_check(self, machines: Sequence[Machine]) -> ProviderCheck:
        claims = await self._look_at(machines)
        silent = [claim.message for claim in claims.values() if isinstance(claim, TryAgain)]
        return ProviderCheck.by_extent(
            "machines", len(silent), len(machines), "; ".join(silent), f"{len(machines)} answer"
        )

    async def instance_types(self) -> tuple[InstanceType, ...]:
        """One type for each label in the file; a shortage if every machine is claimed or silent."""
        claims = await self._look_at(self._machines)
        by_type: dict[str, list[Machine]] = {}
        for machine in self._machines:
            by_type.setdefault(machine.instance_type, []).append(machine)
        offered = []
        for name, machines in by_type.items():
            free = {machine.zone for machine in machines if claims[machine.name] is None}
            zones = dict.fromkeys(machine.zone for machine in machines)
            first = machines[0]
            offered.append(
                InstanceType(
                    name=name,
                    zones=tuple(sorted(zones, key=lambda zone: zone not in free)),
                    gpus=first.gpus,
                    gpu=first.gpu,
                    gpu_memory_gb=first.gpu_memory_gb,
                    hourly_price=first.hourly_price,
                    currency=first.currency,
                    availability={zone: "available" if zone in free else "shortage" for zone in zones},
                )
            )
        return tuple(offered)

    async def create_server(self, order: Order) -> Server | OutOfStock | MachineImageGone:
        """The machine that the instance already has, else the first free one that suits.

        A machine is taken only after it has said that it is free, so silence from the start had no effect.
        """
        if order.machine_image is not None:
            return MachineImageGone(order.zone, order.machine_image)
        machines = [
            each for each in self._machines if (each.zone, each.instance_type) == (order.zone, order.instance_type)
        ]
        if not machines:
            raise Rejected(
                "unknown_instance_type",
                f"no machine of type {order.instance_type} in {order.zone}: add it to the file of machines",
            )
        until = asyncio.get_running_loop().time() + self._timeout_s
        claims = await self._look_at(machines, self._timeout_s / 2)
        for machine in machines:
            if claims[machine.name] == Claim(order.instance_id):
                return _server(machine, order.instance_id)
        silent = [claim for claim in claims.values() if isinstance(claim, TryAgain)]
        for machine in machines:
            if claims[machine.name] is None:
                left_s = until - asyncio.get_running_loop().time()
                if await self._claims.take(machine, order.instance_id, left_s) == Claim(order.instance_id):
                    return _server(machine, order.instance_id)
        if silent:
            silent[0].had_no_effect = True
            raise silent[0]
        return OutOfStock(order.zone, order.instance_type)

    async def set_cloud_init(self, zone: str, server_id: str, cloud_init: bytes) -> None:
        """Does nothing: the machine runs already."""
        del cloud_init
        await self._present(zone, server_id)

    async def find_servers(self, instance_id: UUID) -> Sequence[Server]:
        """Raises Silent if none is found and some machine does not answer."""
        claims = await self._look_at(self._machines)
        found = [_server(each, instance_id) for each in self._machines if claims[each.name] == Claim(instance_id)]
        silent = [claim for claim in claims.values() if isinstance(claim, TryAgain)]
        if silent and not found:
            raise Silent(silent[0].code, silent[0].message)
        return found

    async def get_server(self, zone: str, server_id: str) -> Server | None:
        """None if another instance or nobody has the machine, or if it is no longer in the file."""
        del zone
        match self._meant(server_id):
            case (machine, instance_id):
                held = await self._claims.look(machine, self._timeout_s) == Claim(instance_id)
                return _server(machine, instance_id) if held else None
            case None:
                return None

    async def power_on(self, zone: str, server_id: str) -> None:
        """Does nothing: the machine runs already."""
        await self._present(zone, server_id)

    async def power_off(self, zone: str, server_id: str) -> None:
        """Does nothing: its owner decides."""

    async def delete_server(self, zone: str, server_id: str) -> None:
        """Deletes its worker, its install's files and last its claim, if that is still this instance's."""
        del zone
        match self._meant(server_id):
            case (machine, instance_id):
                if await self._claims.give_back(machine, instance_id, self._timeout_s) == Claim(instance_id):
                    raise TryAgain("machine_failed", f"machine {machine.name} is still claimed after it was given back")
            case None:
                log.warning("machine not in the file", server_id=server_id)

    async def tagged_servers(self) -> Sequence[Server]:
        """Servers on machines that answer. A list only says where to look; `get_server` reports silence."""
        claims = await self._look_at(self._machines)
        servers = []
        for machine in self._machines:
            match claims[machine.name]:
                case Claim(instance_id=UUID() as instance_id):
                    servers.append(_server(machine, instance_id))
                case TryAgain() as error:
                    log.warning("machine does not answer", machine=machine.name, reason=str(error))
                case _:
                    pass
        return servers

    async def foreign_servers(self) -> Sequence[Foreign]:
        """Servers on machines that answer. A claim without ids counts as somebody else's."""
        claims = await self._look_at(self._machines)
        return [
            Foreign(id=machine.name, zone=machine.zone, installation=claim.installation, instance_id=claim.theirs)
            for machine in self._machines
            if isinstance(claim := claims[machine.name], Claim) and claim.instance_id is None
        ]

    async def _look_at(
        self, machines: Sequence[Machine], timeout_s: float | None = None
    ) -> dict[str, Claim | TryAgain | None]:
        """The claims by machine name, asked all at once; an error is a value here."""

        async def one(machine: Machine) -> Claim | TryAgain | None:
            try:
                return await self._claims.look(machine, timeout_s or self._timeout_s)
            except TryAgain as error:
                return error

        async with asyncio.TaskGroup() as group:
            looks = {machine.name: group.create_task(one(machine)) for machine in machines}
        return {name: look.result() for name, look in looks.items()}

    async def _present(self, zone: str, server_id: str) -> None:
        if await self.get_server(zone, server_id) is None:
            raise TryAgain(SERVER_MISSING, f"machine {server_id} is not claimed")

    def _meant(self, server_id: str) -> tuple[Machine, UUID] | None:
        name, _, instance = server_id.rpartition("/")
        machine = next((each for each in self._machines if each.name == name), None)
        try:
            return (machine, UUID(instance)) if machine else None
        except ValueError:
            return None


def _server(machine: Machine, instance_id: UUID) -> Server:
    return Server(
        id=f"{machine.name}/{instance_id}",
        zone=machine.zone,
        instance_type=machine.instance_type,
        instance_id=instance_id,
        power=Power.ON,
        ip_address=str(machine.address),
        host_key=machine.host_key,
    )
