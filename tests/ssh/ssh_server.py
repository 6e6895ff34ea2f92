"""A real SSH server in this process, for machines that behave and for those that do not."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import asyncssh

from shared.secrets import SshKey

Process = asyncssh.SSHServerProcess[str]
Behave = Callable[[Process, str], Awaitable[None]]
"""Plays the command, given all of its standard input."""


@dataclass
class SshServer:
    port: int
    received: list[str] = field(default_factory=list)
    users: list[str] = field(default_factory=list)
    connections: list[asyncssh.SSHServerConnection] = field(default_factory=list)

    def cut(self) -> None:
        for connection in self.connections:
            connection.abort()

    def deafen(self) -> None:
        for connection in self.connections:
            transport = connection._transport
            assert isinstance(transport, asyncio.Transport)
            transport.pause_reading()


class _Server(asyncssh.SSHServer):
    def __init__(self, state: SshServer) -> None:
        self._state = state

    def connection_made(self, conn: asyncssh.SSHServerConnection) -> None:
        self._state.connections.append(conn)

    def begin_auth(self, username: str) -> bool:
        self._state.users.append(username)
        return True


@asynccontextmanager
async def ssh_server(host_key: SshKey, client_key: SshKey, behave: Behave, **offers: Any) -> AsyncGenerator[SshServer]:
    """`offers` are what asyncssh lets a server offer."""
    state = SshServer(0)

    async def handle(process: Process) -> None:
        assert process.command == "bash -s"
        said = await process.stdin.read()
        state.received.append(said)
        await behave(process, said)

    server = await asyncssh.listen(
        "127.0.0.1",
        0,
        server_factory=lambda: _Server(state),
        server_host_keys=[asyncssh.import_private_key(host_key.private)],
        authorized_client_keys=asyncssh.import_authorized_keys(client_key.public),
        process_factory=handle,
        encoding="utf-8",
        **offers,
    )
    state.port = server.get_port()
    try:
        yield state
    finally:
        state.cut()
        server.close()
        async with asyncio.timeout(120):
            await server.wait_closed()
