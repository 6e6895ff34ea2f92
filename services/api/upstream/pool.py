"""The open connections to all workers: in use, and idle."""

import asyncio
import socket
from collections import defaultdict

from services.api.upstream.connection import WorkerConnection
from services.api.upstream.errors import ConnectFailed, ConnectionLost, Silent, Stopping
from services.api.upstream.request import Address
from shared.worker_tls import connect

_LOOKS = 4
"""How often within the shortest limit one timer checks all connections, so that none needs its own."""


class WorkerPool:
    def __init__(self, *, connect_s: float, silence_s: float, kept_alive_s: float) -> None:
        self._connect_s = connect_s
        self._silence_s = silence_s
        self._kept_alive_s = kept_alive_s
        self._open: set[WorkerConnection] = set()
        self._idle: defaultdict[Address, list[WorkerConnection]] = defaultdict(list)
        self._look: asyncio.TimerHandle | None = None
        self._closed = False

    @property
    def idle(self) -> int:
        return sum(connection.usable and not connection.busy for connection in self._open)

    @property
    def in_use(self) -> int:
        return sum(connection.usable and connection.busy for connection in self._open)

    def take(self, address: Address) -> WorkerConnection | None:
        """The most recently used idle connection; the others may age out.

        Never returns one that is too old, or that its worker has closed.
        """
        idle = self._idle.get(address)
        now = asyncio.get_running_loop().time()
        while idle:
            connection = idle.pop()
            if now - connection.idle_since <= self._kept_alive_s and connection.undisturbed:
                return connection
            connection.break_off(ConnectionLost("idle for too long, or closed by its worker"))
        return None

    async def open(self, address: Address) -> WorkerConnection:
        """Raises ConnectFailed; Silent if the worker accepted the connection but never began to speak TLS."""
        try:
            async with asyncio.timeout(self._connect_s):
                accepted = await connect(address.host, address.port)
        except OSError as error:  # includes time-outs
            raise ConnectFailed(f"{address.host}:{address.port}: {error!r}") from error
        try:
            async with asyncio.timeout(self._silence_s):
                connection = await self._spoken_to(address, accepted)
        except TimeoutError as error:
            raise Silent(f"no TLS within {self._silence_s} s") from error
        except OSError as error:  # includes every error of TLS
            raise ConnectFailed(f"{address.host}:{address.port}: {error!r}") from error
        # Only now: if cancelled, uvloop creates a connection whose loss it never reports.
        if not connection.gone.done():
            self._open.add(connection)
        if self._closed:
            connection.break_off(ConnectionLost("the router is closing"))
        elif self._look is None:
            self._look_again()
        return connection

    async def _spoken_to(self, address: Address, accepted: socket.socket) -> WorkerConnection:
        def made() -> WorkerConnection:
            return WorkerConnection(address, self._lost)

        loop = asyncio.get_running_loop()
        try:
            if address.tls is None:
                _, connection = await loop.create_connection(made, sock=accepted)
            else:
                _, connection = await loop.create_connection(
                    made, sock=accepted, ssl=address.tls.context, server_hostname=address.host
                )
        except BaseException:
            accepted.close()
            raise
        return connection

    def give_back(self, connection: WorkerConnection) -> None:
        """Keep it for the next request if it is reusable; otherwise close it at once."""
        if connection.reusable:
            connection.rest(asyncio.get_running_loop().time())
            self._idle[connection.address].append(connection)
        else:
            connection.break_off(ConnectionLost("given up"))

    async def close(self) -> None:
        self._closed = True
        if self._look is not None:
            self._look.cancel()
        gone = [connection.gone for connection in self._open]
        self.break_off()
        if gone:
            await asyncio.wait(gone)

    def break_off(self) -> None:
        """Close every connection at once."""
        for connection in tuple(self._open):
            connection.break_off(Stopping("the router is stopping"))

    def _lost(self, connection: WorkerConnection) -> None:
        self._open.discard(connection)
        idle = self._idle.get(connection.address, [])
        if connection in idle:
            idle.remove(connection)
        if not idle:
            self._idle.pop(connection.address, None)

    def _look_again(self) -> None:
        after_s = min(self._silence_s, self._kept_alive_s) / _LOOKS
        self._look = asyncio.get_running_loop().call_later(after_s, self._look_after)

    def _look_after(self) -> None:
        now = asyncio.get_running_loop().time()
        for connection in tuple(self._open):
            if connection.silent_s(now) > self._silence_s:
                connection.break_off(Silent(f"not a byte for {self._silence_s} s"))
        for idle in self._idle.values():
            for connection in idle:
                if now - connection.idle_since > self._kept_alive_s:
                    connection.break_off(ConnectionLost("idle for too long"))
        self._look = None
        if self._open:
            self._look_again()
