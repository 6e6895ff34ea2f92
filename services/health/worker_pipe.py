"""A connection to a worker, in plain or in TLS: bytes out, bytes in. The caller must limit the time.

TLS goes through memory here, since asyncio's keeps a buffer of 256 kB for each connection.
"""

import asyncio
import select
import socket
import ssl
from collections.abc import Callable
from typing import Final, Self, TypeVar

from shared.worker_tls import WorkerTls

_PIECE: Final = 16 * 1024
_Result = TypeVar("_Result")


class WrongCertificate(Exception):
    """Somebody else's worker answered, or an earlier attempt's."""


class WorkerPipe:
    """Made by `plain` or `secured`, from a connected socket, which it closes. Every method raises OSError."""

    def __init__(self, connection: socket.socket) -> None:
        self._socket = connection
        self._arrived = select.poll()
        self._arrived.register(connection, select.POLLIN)
        self._loop = asyncio.get_running_loop()
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls: ssl.SSLObject | None = None

    @classmethod
    async def secured(cls, connection: socket.socket, address: str, tls: WorkerTls) -> Self:
        """Raises WrongCertificate, too. The pipe is closed if the handshake fails."""
        pipe = cls(connection)
        secured = tls.context.wrap_bio(pipe._incoming, pipe._outgoing, server_hostname=address)
        try:
            await pipe._through(secured.do_handshake)
        except ssl.SSLCertVerificationError as error:
            pipe.abort()
            raise WrongCertificate from error
        except BaseException:
            pipe.abort()
            raise
        pipe._tls = secured
        return pipe

    async def send(self, data: bytes) -> None:
        if self._tls is None:
            await self._loop.sock_sendall(self._socket, data)
        else:
            self._tls.write(data)
            await self._flush()

    async def receive(self) -> bytes:
        """Some bytes; none once the worker has closed its side."""
        if self._tls is None:
            return await self._loop.sock_recv(self._socket, _PIECE)
        tls = self._tls
        try:
            return await self._through(lambda: tls.read(_PIECE))
        except (ssl.SSLZeroReturnError, ssl.SSLEOFError):
            return b""

    @property
    def disturbed(self) -> bool:
        """Whether the worker has sent something since, be it the end."""
        return bool(self._arrived.poll(0))

    def abort(self) -> None:
        self._socket.close()

    async def _through(self, step: Callable[[], _Result]) -> _Result:
        """Take a step of TLS, with as much from the other side as it needs."""
        while True:
            try:
                result = step()
            except ssl.SSLWantReadError:
                await self._flush()
                self._feed(await self._loop.sock_recv(self._socket, _PIECE))
            else:
                await self._flush()
                return result

    def _feed(self, received: bytes) -> None:
        if received:
            self._incoming.write(received)
        else:
            self._incoming.write_eof()

    async def _flush(self) -> None:
        if self._outgoing.pending:
            await self._loop.sock_sendall(self._socket, self._outgoing.read())
