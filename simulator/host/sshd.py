"""The machine's SSH server. Only root may sign in, with a key from authorized_keys; commands run in a real bash."""

import asyncio
import os
from collections.abc import Mapping
from pathlib import Path

import asyncssh

from simulator.host.disk import Disk


class SshServer:
    """Listens between `start()` and `stop()`. A stop closes the connections; the commands on them run on."""

    def __init__(self, disk: Disk, environment: Mapping[str, str]) -> None:
        self._disk = disk
        self._environment = environment
        self._acceptor: asyncssh.SSHAcceptor | None = None
        self._connections: set[asyncssh.SSHServerConnection] = set()

    async def start(self, address: str, port: int) -> None:
        """Raises asyncssh.KeyImportError if the host key's file holds no key, OSError if the port is taken."""
        self._acceptor = await asyncssh.listen(
            address, port,
            server_host_keys=[asyncssh.read_private_key(self._disk.host_key)],
            server_factory=lambda: _Login(self._disk.authorized_keys, self._connections),
            process_factory=self._execute,
            encoding=None, password_auth=False, kbdint_auth=False, gss_host=None, reuse_address=True,
        )  # fmt: skip

    def reload(self) -> None:
        """Show new connections the host key that is on disk now. Raises asyncssh.KeyImportError as `start` does."""
        if self._acceptor is not None:
            self._acceptor.update(server_host_keys=[asyncssh.read_private_key(self._disk.host_key)])

    async def stop(self) -> None:
        if self._acceptor is None:
            return
        self._acceptor.close()
        for connection in list(self._connections):
            connection.abort()
        await self._acceptor.wait_closed()
        self._acceptor = None

    async def _execute(self, process: "asyncssh.SSHServerProcess[bytes]") -> None:
        """Run one command on pipes to the client, so that it notices a lost client as under OpenSSH."""
        arguments = ["-c", process.command] if process.command is not None else ["-l"]
        stdin, to_stdin = os.pipe()
        from_stdout, stdout = os.pipe()
        from_stderr, stderr = os.pipe()
        try:
            running = await asyncio.create_subprocess_exec(
                "/bin/bash", *arguments, stdin=stdin, stdout=stdout, stderr=stderr,
                env=self._environment, cwd=self._environment["HOME"], start_new_session=True,
            )  # fmt: skip
        finally:
            for end in (stdin, stdout, stderr):
                os.close(end)
        if process.is_closing():
            for end in (to_stdin, from_stdout, from_stderr):
                os.close(end)
            return
        await process.redirect(stdin=to_stdin, stdout=from_stdout, stderr=from_stderr, send_eof=False)
        status = await running.wait()
        if not process.is_closing():
            await process.stdout.drain()
            await process.stderr.drain()
            process.exit(status if status >= 0 else 128 - status)
        await process.wait_closed()


class _Login(asyncssh.SSHServer):
    def __init__(self, authorized_keys: Path, connections: "set[asyncssh.SSHServerConnection]") -> None:
        self._authorized_keys = authorized_keys
        self._connections = connections
        self._connection: asyncssh.SSHServerConnection | None = None

    def connection_made(self, conn: asyncssh.SSHServerConnection) -> None:
        self._connection = conn
        self._connections.add(conn)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncssh's signature
        if self._connection is not None:
            self._connections.discard(self._connection)

    def public_key_auth_supported(self) -> bool:
        return True

    def validate_public_key(self, username: str, key: asyncssh.SSHKey) -> bool:
        lines = self._authorized_keys.read_text().splitlines()
        allowed = [asyncssh.import_public_key(line) for line in lines if line and not line.startswith("#")]
        return username == "root" and key in allowed
