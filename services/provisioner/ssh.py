"""Machines over SSH, with their host keys pinned: nothing is said to a machine that cannot prove who it is."""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final

import asyncssh

from services.provisioner.machine import Exited, Unreachable, WrongHostKey
from shared.secrets import SshKey

USER: Final = "root"
_UNANSWERED: Final = 3
_FAILURES: Final = (OSError, asyncssh.Error)


@dataclass(frozen=True)
class SshSession:
    connection: asyncssh.SSHClientConnection

    @property
    def host_key(self) -> str:
        key = self.connection.get_server_host_key()
        if key is None:
            raise Unreachable("the machine has not proved itself")
        return " ".join(key.export_public_key().decode().split()[:2])

    async def run(self, command: str, stdin: bytes) -> AsyncGenerator[str | Exited]:
        """Standard output and error in one; bytes that are no UTF-8 are replaced. Raises Unreachable."""
        try:
            process = await self.connection.create_process(
                command, stderr=asyncssh.STDOUT, encoding="utf-8", errors="replace"
            )
            process.stdin.write(stdin.decode())
            process.stdin.write_eof()
            async for line in process.stdout:
                if line:  # a wait that the end cuts short gives an empty one
                    yield line
            await process.wait_closed()
        except _FAILURES as error:
            raise Unreachable(f"the SSH connection broke: {_words(error)}") from error
        if process.exit_status is None or process.exit_signal is not None:
            raise Unreachable("the SSH connection broke before the command had ended")
        yield Exited(process.exit_status)


@dataclass(frozen=True)
class SshShell:
    """Signs in as root with `client_key`."""

    client_key: SshKey
    port: int
    connect_timeout_s: float
    keepalive_s: float

    @asynccontextmanager
    async def open(self, address: str, host_keys: Sequence[str]) -> AsyncGenerator[SshSession]:
        """Raises WrongHostKey, Unreachable. Leaving it breaks the connection; what it runs has to outlive that."""
        trusted = [asyncssh.import_public_key(key) for key in host_keys]
        try:
            async with asyncio.timeout(self.connect_timeout_s):
                connection = await asyncssh.connect(
                    address,
                    self.port,
                    username=USER,
                    client_keys=[asyncssh.import_private_key(self.client_key.private)],
                    known_hosts=(trusted, [], []),
                    agent_path=None,
                    config=None,
                    keepalive_interval=self.keepalive_s,
                    keepalive_count_max=_UNANSWERED,
                )
        except asyncssh.HostKeyNotVerifiable as error:
            raise WrongHostKey(f"whoever answers at {address} has another host key: {error.reason}") from error
        except _FAILURES as error:
            raise Unreachable(f"no SSH connection to {address}: {_words(error)}") from error
        try:
            yield SshSession(connection)
        finally:
            connection.abort()


def _words(error: BaseException) -> str:
    return str(error) or type(error).__name__
