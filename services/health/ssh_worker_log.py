"""The worker's log over SSH: one command that only reads, on a connection whose host key is pinned."""

import asyncio
import re
from collections.abc import AsyncGenerator, Sequence
from typing import Final

import asyncssh

from services.health.settings import HealthSettings
from services.health.worker_log import LogUnavailable
from shared.secrets import SshKey

CONTAINER: Final = "coldstart-worker"
"""As the install names it."""
COMMAND: Final = f"docker logs --follow --tail 2000 {CONTAINER}"
"""Eight files that are fetched side by side print a line each per second: so this reaches back some minutes."""
USER: Final = "root"
_LONGEST_LINE: Final = 16 * 1024
_AT_ONCE: Final = 64 * 1024
_UNANSWERED: Final = 3
_LINE_ENDS: Final = re.compile(r"[\r\n]+")


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
                process = await connection.create_process(
                    COMMAND, stdin=asyncssh.DEVNULL, stderr=asyncssh.STDOUT, encoding="utf-8", errors="replace"
                )
                async for line in _lines(process.stdout):
                    yield line
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
                keepalive_interval=self._settings.log_connect_seconds,
                keepalive_count_max=_UNANSWERED,
            )


async def _lines(output: asyncssh.SSHReader[str]) -> AsyncGenerator[str]:
    """Ended by line feeds or, as a progress bar does it, by carriage returns; one that goes on and on is cut."""
    rest = ""
    while chunk := await output.read(_AT_ONCE):
        *whole, rest = _LINE_ENDS.split(rest + chunk)
        for line in whole:
            yield line
        rest = rest[-_LONGEST_LINE:]
    if rest:
        yield rest
