"""Answers the stand-ins of one machine. Each has a connection of its own, which closes when its process ends."""

import asyncio
import hmac
from contextlib import suppress
from typing import Final

from simulator.host.standins import disks, docker, gpu, packages, system, weights
from simulator.host.standins.call import REFUSED, Call, Machine, Refused, StandIn

STAND_INS: Final[dict[str, StandIn]] = {
    "apt-get": packages.apt_get,
    "blkid": disks.blkid,
    "cmp": disks.cmp,
    "curl": packages.curl,
    "dd": disks.dd,
    "df": disks.df,
    "docker": docker.docker,
    "dpkg": packages.dpkg,
    "fsfreeze": disks.does_nothing,
    "lsblk": disks.lsblk,
    "mkfs.ext4": disks.mkfs_ext4,
    "mount": disks.mount,
    "mountpoint": disks.mountpoint,
    "nvidia-ctk": gpu.nvidia_ctk,
    "nvidia-smi": gpu.nvidia_smi,
    "sha256sum": weights.sha256sum,
    "sleep": system.sleep,
    "sync": disks.does_nothing,
    "systemctl": system.systemctl,
    "udevadm": disks.udevadm,
}
_NO_SUCH_COMMAND: Final = 127


class StandIns:
    def __init__(self, machine: Machine) -> None:
        self._machine = machine
        self._server: asyncio.Server | None = None
        self._connections: dict[asyncio.StreamWriter, asyncio.Task[None]] = {}

    async def start(self, address: str) -> int:
        """Returns its port."""
        self._server = await asyncio.start_server(self._connected, address, 0)
        port: int = self._server.sockets[0].getsockname()[1]
        return port

    async def stop(self) -> None:
        server, self._server = self._server, None
        if server is None:
            return
        server.close()
        for writer in self._connections:
            writer.transport.abort()
        if self._connections:
            await asyncio.wait(self._connections.values())
        await server.wait_closed()

    def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Registers the connection before any await, so that `stop` closes even one that was made just now."""
        if self._server is None:
            writer.transport.abort()
        else:
            self._connections[writer] = asyncio.create_task(self._serve(reader, writer))

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            with suppress(ConnectionError, asyncio.IncompleteReadError):
                await self._answer(reader, writer)
        finally:
            del self._connections[writer]
            writer.close()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        async def word() -> str:
            return (await reader.readuntil(b"\0"))[:-1].decode()

        async def words() -> list[str]:
            return [await word() for _ in range(int(await word()))]

        def say(kind: str, text: str) -> None:
            writer.write("".join(f"{kind}{line}\n" for line in text.splitlines() or [""]).encode())

        if not hmac.compare_digest((await word()).encode(), self._machine.boot_id.encode()):
            return
        call = Call(
            name=await word(), arguments=await words(),
            variables=dict(assignment.split("=", 1) for assignment in await words()),
            input=await word(), out=lambda text: say("1", text), err=lambda text: say("2", text),
        )  # fmt: skip
        running = asyncio.ensure_future(self._run(call))
        # The client sends nothing more, so this read ends only when its process has ended.
        gone = asyncio.ensure_future(reader.read(1))
        try:
            await asyncio.wait({running, gone}, return_when=asyncio.FIRST_COMPLETED)
            if running.done():
                say("x", str(running.result()))
                await writer.drain()
        finally:
            running.cancel()
            gone.cancel()
            await asyncio.gather(running, gone, return_exceptions=True)

    async def _run(self, call: Call) -> int:
        stand_in = STAND_INS.get(call.name)
        if stand_in is None:
            call.err(f"{call.name}: command not found")
            return _NO_SUCH_COMMAND
        try:
            return await stand_in(self._machine, call)
        except Refused as refused:
            call.err(f"{call.name}: the simulated machine does not model this: {refused}")
            return REFUSED
