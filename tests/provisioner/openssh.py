"""OpenSSH's own server in front of a simulated machine: its disk, its stand-ins, and nobody's asyncssh."""

import asyncio
import os
import signal
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

import psutil
import pytest

from simulator.host.disk import Disk
from tests.simulator.host.machines import Machine

SSHD: Final = Path("/usr/sbin/sshd")
_EMPTY: Final = Path("/run/sshd")
"""Compiled into Debian's sshd, which does not start without it; its service makes it at every boot."""
needs_sshd = pytest.mark.skipif(
    "CI" not in os.environ and not (SSHD.exists() and os.geteuid() == 0),
    reason="Debian's openssh-server is not installed, or we are not root, as whom it has to let in",
)
CONFIG: Final = """\
ListenAddress {address}
Port {port}
HostKey {disk.host_key}
AuthorizedKeysFile {disk.authorized_keys}
SetEnv {environment}
PermitRootLogin prohibit-password
PasswordAuthentication no
KbdInteractiveAuthentication no
UsePAM no
StrictModes no
PidFile none
PrintMotd no
MaxSessions 1
MaxStartups {startups}
"""
"""As Debian's, but stricter where a client might be greedy: one session a connection, few strangers at a time."""


class OpenSsh:
    """Stands where the simulated machine's own SSH server does: the same three calls."""

    def __init__(self, disk: Disk, environment: Mapping[str, str], startups: int) -> None:
        self._disk = disk
        self._environment = environment
        self._startups = startups
        self._process: asyncio.subprocess.Process | None = None
        self._reading: asyncio.Task[None] | None = None
        self.said: list[str] = []

    async def start(self, address: str, port: int) -> None:
        config = self._disk.folder / "sshd_config"
        environment = " ".join(f'"{name}={value}"' for name, value in self._environment.items())
        config.write_text(
            CONFIG.format(address=address, port=port, disk=self._disk, environment=environment, startups=self._startups)
        )
        self._process = await asyncio.create_subprocess_exec(
            SSHD, "-D", "-e", "-f", config, stdin=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.PIPE
        )
        listening = asyncio.Event()
        self._reading = asyncio.create_task(self._read(self._process, listening))
        async with asyncio.timeout(120):
            await listening.wait()
        assert not self._reading.done(), self.said

    def reload(self) -> None:
        assert self._process is not None
        self._process.send_signal(signal.SIGHUP)

    async def stop(self) -> None:
        if self._process is None or self._reading is None:
            return
        self.cut()
        self._process.kill()
        await self._process.wait()
        await self._reading
        self._process = None

    def cut(self) -> int:
        """Kill what serves each connection, not what runs there. How many there were."""
        assert self._process is not None
        children = psutil.Process(self._process.pid).children(recursive=True)
        serving = [process for process in children if process.name().startswith("sshd")]
        for process in serving:
            process.kill()
        return len(serving)

    async def _read(self, process: asyncio.subprocess.Process, listening: asyncio.Event) -> None:
        assert process.stderr is not None
        async for line in process.stderr:
            self.said.append(line.decode())
            if b"Server listening on" in line:
                listening.set()
        listening.set()


@asynccontextmanager
async def under_openssh(machine: Machine, *, startups: int = 10) -> AsyncGenerator[OpenSsh]:
    """Boot that machine with OpenSSH instead of its own server."""
    sshd = OpenSsh(machine.host.disk, machine.host._environment, startups)
    _EMPTY.mkdir(mode=0o755, exist_ok=True)
    machine.host._sshd = sshd  # type: ignore[assignment]  # the same three calls
    await machine.host.start()
    try:
        yield sshd
    finally:
        await machine.host.destroy()
