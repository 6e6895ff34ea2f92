"""Machines of one's own on loopback: a real SSH server and a real bash each, on a disk that is a folder."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path
from uuid import UUID, uuid4

import asyncssh
import pytest

from services.provisioner.providers.machines.inventory import Inventory
from services.provisioner.providers.machines.provider import MachinesProvider
from shared.secrets import Secrets
from shared.ssh import SshShell
from tests.provisioner.stage import MASTER
from tests.simulator.host.machines import SSH_PORT, Machine

SECRETS = Secrets(MASTER)
CLIENT_KEY = SECRETS.ssh_client_key()
CALL_TIMEOUT_S = 8.0
SHELL = SshShell(client_key=CLIENT_KEY, port=SSH_PORT, connect_timeout_s=2.0, keepalive_s=5.0)


def listed(machine: Machine, name: str, **fields: object) -> dict[str, object]:
    """A table of the file of machines."""
    host_key = machine.host_key.export_public_key().decode()
    return {"name": name, "address": machine.address, "host_key": host_key, **fields}


def provider_of(
    *machines: dict[str, object], installation: UUID | None = None, call_timeout_s: float = CALL_TIMEOUT_S
) -> MachinesProvider:
    inventory = Inventory.model_validate({"machine": machines})
    return MachinesProvider(lambda: inventory, installation or uuid4(), SHELL, call_timeout_s)


@pytest.fixture
async def boxes(tmp_path: Path) -> AsyncIterator[list[Machine]]:
    """Two, both free."""
    async with AsyncExitStack() as stack:
        running = []
        for name in ("desk", "shelf"):
            machine = Machine(tmp_path / name, client_key=asyncssh.import_private_key(CLIENT_KEY.private))
            stack.push_async_callback(machine.host.destroy)
            await machine.host.start()
            running.append(machine)
        yield running


@pytest.fixture
def installation() -> UUID:
    return uuid4()
