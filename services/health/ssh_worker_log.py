"""The worker's log over SSH: one command that only reads, on a connection whose host key is pinned."""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from typing import Final

import asyncssh

from services.health.settings import HealthSettings
from services.health.worker_log import LogUnavailable
from shared.machine_output import WINDOW, Flood, lines
from shared.secrets import SshKey

CONTAINER: Final = "coldstart-worker"
"""As the install names it."""
COMMAND: Final = f"docker logs --follow --tail 2000 {CONTAINER}"
"""Eight files that are fetched side by side print a line each per second: so this reaches back some minutes."""
USER: Final = "root"
_UNANSWERED: Final = 3


class SshWorkerLog:
    """Signs in as root with `client_key`; at most `settings.logs_at_once` connections are open at any time."""

    def __init__(self, client_key: SshKey, settings: HealthSettings) -> None:
        self._client_key = client_key
        self._settings = settings
        self._slots = asyncio.Semaphore(settings.logs_at_once)

    async def follow(self, address: str, host_keys: Sequence[str]) -> AsyncGenerator[str]:
        async with self._slots:
            try:
                connection = await self._connect(address, host_keys)
            except (OSError, asyncssh.Error) as error:
                raise LogUnavailable(f"no SSH connection to {address}: {type(error).__name__}") from error
            try:
                async with asyncio.timeout(self._settings.log_connect_seconds):
                    process = await connection.create_process(
                        COMMAND,
                        stdin=asyncssh.DEVNULL,
                        stderr=asyncssh.STDOUT,
                        encoding="utf-8",
                        errors="replace",
                        window=WINDOW,
                    )
                async with aclosing(lines(process.stdout)) as printed:
                    async for line in printed:
                        yield line
            except Flood as error:
                raise LogUnavailable(f"{address}: {error}") from error
            except (OSError, asyncssh.Error) as error:
                raise LogUnavailable(f"the SSH connection to {address} broke: {type(error).__name__}") from error
            finally:
                connection.abort()

    async def _connect(self, address: str, host_keys: Sequence[str]) -> asyncssh.SSHClientConnection:
        trusted = [asyncssh.import_public_key(key) for key in host_keys]
        async with asyncio.timeout(self._settings.log_connect_seconds):
            return await asyncssh.connect(
                address,
                self._settings.ssh_port,
                username=USER,
                client_keys=[asyncssh.import_private_key(self._client_key.private)],
                known_hosts=(trusted, [], []),
                agent_path=None,
                config=None,
                compression_algs="none",  # what a machine sends is as large as it came
                keepalive_interval=self._settings.log_connect_seconds,
                keepalive_count_max=_UNANSWERED,
            )
