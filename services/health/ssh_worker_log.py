"""The worker's log over SSH: one command that only reads, on a connection with a pinned host key."""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from typing import Final

from services.health.settings import HealthSettings
from services.health.worker_log import LogUnavailable
from shared.machine import MachineError
from shared.secrets import SshKey
from shared.ssh import SshShell

CONTAINER: Final = "coldstart-worker"
"""The container's name, as the install sets it."""
COMMAND: Final = f"docker logs --follow --tail 2000 {CONTAINER}"
"""Eight files downloaded side by side print a line each per second, so this reaches back some minutes."""


class SshWorkerLog:
    """Signs in as root with `client_key`; at most `settings.logs_at_once` connections are open at any time."""

    def __init__(self, client_key: SshKey, settings: HealthSettings) -> None:
        self._shell = SshShell(
            client_key=client_key,
            port=settings.ssh_port,
            connect_timeout_s=settings.log_connect_seconds,
            keepalive_s=settings.log_connect_seconds,
        )
        self._slots = asyncio.Semaphore(settings.logs_at_once)

    async def follow(self, address: str, host_keys: Sequence[str]) -> AsyncGenerator[str]:
        async with self._slots:
            try:
                async with (
                    self._shell.open(address, host_keys) as session,
                    aclosing(session.run(COMMAND, None)) as printed,
                ):
                    async for line in printed:
                        if isinstance(line, str):
                            yield line
            except MachineError as error:
                why = type(error.__cause__ or error).__name__  # never the machine's own words
                raise LogUnavailable(f"{address} cannot be read over SSH: {why}") from error
