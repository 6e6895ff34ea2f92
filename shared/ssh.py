"""Machines over SSH, with pinned host keys: nothing is sent to a machine that cannot prove its identity."""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass
from typing import Final

import asyncssh

from shared.machine import Exited, KeyRefused, Unreachable, WrongHostKey
from shared.machine_output import WINDOW, Flood, lines
from shared.plain_text import plain_line, shortened
from shared.secrets import SshKey

USER: Final = "root"
_UNANSWERED: Final = 3
"""After this many unanswered keep-alives the connection counts as broken."""
_FAILURES: Final = (OSError, asyncssh.Error)
_LONGEST_WORDS: Final = 300


@dataclass(frozen=True)
class SshSession:
    """`start_timeout_s`: the time in which the machine must start a command."""

    connection: asyncssh.SSHClientConnection
    start_timeout_s: float

    @property
    def host_key(self) -> str:
        key = self.connection.get_server_host_key()
        if key is None:
            raise Unreachable("the machine has not proved itself")
        return " ".join(key.export_public_key().decode().split()[:2])

    async def run(self, command: str, stdin: bytes | None) -> AsyncGenerator[str | Exited]:
        """Standard output and error together; bytes that are not UTF-8 are replaced. Raises Unreachable.

        Lines come without their ends. A machine that prints more than `shared.machine_output` allows is disconnected.
        """
        try:
            async with asyncio.timeout(self.start_timeout_s):
                process = await self.connection.create_process(
                    command,
                    stdin=asyncssh.DEVNULL if stdin is None else asyncssh.PIPE,
                    stderr=asyncssh.STDOUT,
                    encoding="utf-8",
                    errors="replace",
                    window=WINDOW,
                )
            if stdin is not None:
                process.stdin.write(stdin.decode())
                process.stdin.write_eof()
            async with aclosing(lines(process.stdout)) as printed:
                async for line in printed:
                    yield line
            await process.wait_closed()
        except Flood as error:
            raise Unreachable(f"the machine was left: {error}") from error
        except _FAILURES as error:
            raise Unreachable(f"the SSH connection broke: {_words(error)}") from error
        if process.exit_status is None or process.exit_signal is not None:
            raise Unreachable("the SSH connection broke before the command had ended")
        yield Exited(process.exit_status)


@dataclass(frozen=True)
class SshShell:
    """Signs in as root with `client_key`; sends a keep-alive every `keepalive_s` seconds."""

    client_key: SshKey
    port: int
    connect_timeout_s: float
    keepalive_s: float

    @asynccontextmanager
    async def open(self, address: str, host_keys: Sequence[str]) -> AsyncGenerator[SshSession]:
        """Raises MachineError, one of all kinds. Leaving it closes the connection; its commands must survive that."""
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
                    compression_algs="none",  # so that a machine's data cannot expand
                    keepalive_interval=self.keepalive_s,
                    keepalive_count_max=_UNANSWERED,
                )
        except asyncssh.HostKeyNotVerifiable as error:
            raise WrongHostKey(f"whoever answers at {address} has another host key: {_words(error)}") from error
        except asyncssh.PermissionDenied as error:
            told = f"{address} does not let in our SSH key, which `coldstart ssh-key` prints"
            raise KeyRefused(f"{told}: {_words(error)}") from error
        except _FAILURES as error:
            raise Unreachable(f"no SSH connection to {address}: {_words(error)}") from error
        try:
            yield SshSession(connection, self.connect_timeout_s)
        finally:
            connection.abort()


def _words(error: BaseException) -> str:
    """The error's text. The machine may have chosen parts of it: its goodbye is included."""
    return shortened(plain_line(str(error)), _LONGEST_WORDS) or type(error).__name__
