"""Hosts that listen where a machine's SSH server would, and remember what they were told."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field

from simulator.cloud.ports import ONE_L4, Hardware
from simulator.scenario import Scenario


@dataclass
class FakeHost:
    """A host that listens where a machine's SSH server would, and remembers what it was told."""

    server_id: str
    address: str
    tags: Sequence[str]
    cloud_init: bytes
    scenario: Scenario
    port: int
    told: list[str] = field(default_factory=list)
    _listener: asyncio.Server | None = None

    async def start(self) -> None:
        self.told.append("start")
        await asyncio.sleep(self.scenario.ssh_up)
        self._listener = await asyncio.start_server(lambda _, writer: writer.close(), self.address, self.port)

    async def stop(self) -> None:
        self.told.append("stop")
        await self._close()

    async def erase_scratch(self) -> None:
        self.told.append("erase_scratch")

    async def destroy(self) -> None:
        self.told.append("destroy")
        await self._close()

    async def _close(self) -> None:
        listener, self._listener = self._listener, None
        if listener is not None:
            listener.close()
            await listener.wait_closed()


@dataclass
class Hosts:
    """Makes fake hosts and keeps them in the order of their power-ons."""

    port: int
    made: list[FakeHost] = field(default_factory=list)

    def __call__(
        self,
        *,
        server_id: str,
        address: str,
        tags: Sequence[str],
        cloud_init: bytes,
        scenario: Scenario,
        hardware: Hardware = ONE_L4,
    ) -> FakeHost:
        del hardware
        host = FakeHost(server_id, address, tags, cloud_init, scenario, self.port)
        self.made.append(host)
        return host
