"""What the cloud needs from the machine behind a server that is powered on."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from simulator.scenario import Scenario


@dataclass(frozen=True)
class Hardware:
    """What a machine has by its server's type: GPUs by the vendor's name of one, and `scratch` storage in bytes."""

    gpu: str = "L4"
    gpus: int = 1
    scratch: int = 0


ONE_L4: Final = Hardware()


class Host(Protocol):
    """One boot of one machine.

    The cloud calls `start()` when the server's state becomes `running`; `start()` waits `scenario.ssh_up` itself and
    may be cancelled by a power-off, which then calls `stop()`. `stop()` and `destroy()` are safe in any state.
    """

    address: str
    """Its own loopback address, the server's public one."""

    async def start(self) -> None:
        """Return once the SSH server listens on (address, ssh_port), or at once when the scenario says never."""

    async def stop(self) -> None:
        """Power off: SSH server, installs and workers end; the disk stays for a later power-on."""

    async def erase_scratch(self) -> None:
        """What is on the scratch storage of a machine that is off is gone; the disk is there again, blank."""

    async def destroy(self) -> None:
        """End what runs and remove the disk."""


class StoredDisks(Protocol):
    """What the snapshots of boot volumes hold: copies of machines' disks, without their scratch storage."""

    async def store(self, server_id: str, snapshot_id: str) -> None:
        """Keep a copy of the server's disk as it is now; of one that never booted there is nothing to copy."""

    async def lay(self, snapshot_id: str, server_id: str) -> None:
        """A new server's disk begins as that copy. Its first boot then runs cloud-init, as on any new machine."""

    async def discard(self, server_id: str) -> None:
        """Remove what `lay` made for a server that never booted."""

    async def remove(self, snapshot_id: str) -> None:
        """Remove the copy."""

    async def clear(self) -> None:
        """Remove every copy, and what was laid for servers that never booted."""


class MakeHost(Protocol):
    """Called at every power-on: a dynamic address and the scenario may differ from the boot before.

    The same `server_id` means the same disk, so what the last boot left there is found again.
    """

    def __call__(
        self,
        *,
        server_id: str,
        address: str,
        tags: Sequence[str],
        cloud_init: bytes,
        scenario: Scenario,
        hardware: Hardware = ONE_L4,
    ) -> Host: ...
