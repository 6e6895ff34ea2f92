"""Machines to test with: each on a loopback address and a disk of its own."""

import asyncio
import secrets
import shlex
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import asyncssh
import yaml

from simulator.cloud.ports import ONE_L4, Hardware
from simulator.host.disk import Disk
from simulator.host.machine import SimulatedMachine
from simulator.scenario import Scenario

T = TypeVar("T")
SSH_PORT = 2222
WORKER_PORT = 8000
QUICK = Scenario(ssh_up=0, image_pull=0, worker_start=0, model_load=0)


def own_address() -> str:
    """A loopback address where nobody uses our ports."""
    while True:
        address = f"127.{16 + secrets.randbelow(200)}.{secrets.randbelow(255)}.{1 + secrets.randbelow(253)}"
        with socket.socket() as probe:
            try:
                probe.bind((address, SSH_PORT))
            except OSError:
                continue
        return address


def new_key() -> asyncssh.SSHKey:
    return asyncssh.generate_private_key("ssh-ed25519")


def private_text(key: asyncssh.SSHKey) -> str:
    return key.export_private_key().decode()


@dataclass
class Machine:
    """A host and the keys that its cloud-init was given."""

    folder: Path
    scenario: Scenario = QUICK
    address: str = field(default_factory=own_address)
    client_key: asyncssh.SSHKey = field(default_factory=new_key)
    host_key: asyncssh.SSHKey = field(default_factory=new_key)
    changes: dict[str, Any] = field(default_factory=dict)
    """Of the user data; an entry that is None is left out."""
    tags: tuple[str, ...] = ()
    project_keys: tuple[str, ...] = ()
    hardware: Hardware = ONE_L4
    host: SimulatedMachine = field(init=False)

    def __post_init__(self) -> None:
        self.host = self.next_boot()

    @property
    def public_key(self) -> str:
        return self.client_key.export_public_key().decode().strip()

    @property
    def cloud_init(self) -> bytes:
        document = {
            "ssh_keys": {
                "ed25519_private": private_text(self.host_key),
                "ed25519_public": self.host_key.export_public_key().decode(),
            },
            "ssh_authorized_keys": [self.public_key],
            "write_files": [{"path": "/root/.ssh/instance_keys", "content": f"{self.public_key}\n"}],
        }
        changed = {name: value for name, value in {**document, **self.changes}.items() if value is not None}
        return b"#cloud-config\n" + yaml.safe_dump(changed).encode()

    def next_boot(self) -> SimulatedMachine:
        """Another boot of the same disk."""
        self.host = SimulatedMachine(
            disk=Disk(self.folder), address=self.address, ssh_port=SSH_PORT, cloud_init=self.cloud_init,
            scenario=self.scenario, tags=self.tags, project_keys=self.project_keys,
            hardware=self.hardware,
        )  # fmt: skip
        return self.host

    def url(self, path: str) -> str:
        return f"http://{self.address}:{WORKER_PORT}{path}"

    @asynccontextmanager
    async def connected(
        self, *, client_key: asyncssh.SSHKey | None = None, host_key: asyncssh.SSHKey | None = None
    ) -> AsyncIterator[asyncssh.SSHClientConnection]:
        """Signed in as root, with the machine's key pinned."""
        public = (host_key or self.host_key).export_public_key().decode()
        known = asyncssh.import_known_hosts(f"[{self.address}]:{SSH_PORT} {public}\n")
        async with asyncssh.connect(
            self.address, SSH_PORT, username="root", client_keys=[client_key or self.client_key], known_hosts=known,
            config=None, agent_path=None,
        ) as connection:  # fmt: skip
            yield connection

    async def run(self, command: str) -> asyncssh.SSHCompletedProcess:
        async with self.connected() as connection:
            return await connection.run(command, timeout=60)


def replace_tool(machine: Machine, name: str, script: str) -> None:
    """On this machine's PATH; `$real` is what was there."""
    tool = machine.host.disk.bin / name
    folder = tool.with_name("replaced")
    folder.mkdir(exist_ok=True)
    real = tool.rename(folder / name)
    tool.write_text(f"#!/bin/bash\nreal={shlex.quote(str(real))}\n{script}\n")
    tool.chmod(0o755)


@asynccontextmanager
async def booted(folder: Path, scenario: Scenario = QUICK, **changes: Any) -> AsyncIterator[Machine]:
    machine = Machine(folder / "machine", scenario, **changes)
    await machine.host.start()
    try:
        yield machine
    finally:
        await machine.host.destroy()


async def eventually(ask: Callable[[], Awaitable[T | None]], seconds: float = 60.0) -> T:
    """The first answer that is one; asks again every 20 ms."""
    async with asyncio.timeout(seconds):
        while (answer := await ask()) is None:  # noqa: ASYNC110 - another process tells us nothing by itself
            await asyncio.sleep(0.02)
        return answer
