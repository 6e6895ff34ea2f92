"""A wire between a NATS client and its server that a test can tap, cut, or let lose single operations."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from urllib.parse import urlsplit, urlunsplit


@dataclass(frozen=True)
class Operation:
    """One operation of the NATS client protocol: PUB, HPUB, MSG, HMSG with their subject, or any other line."""

    verb: str
    subject: str
    raw: bytes


Tap = Callable[[Operation], Awaitable[bool]]
"""Sees an operation before it is passed on; False loses it."""


Passed = Callable[[Operation], Awaitable[None]]
"""Told of an operation right after it was passed on."""


async def _pass(_: Operation) -> bool:
    return True


async def _ignore(_: Operation) -> None:
    pass


async def _operation(reader: asyncio.StreamReader) -> Operation:
    line = await reader.readuntil(b"\r\n")
    words = line.split()
    verb = words[0].upper().decode() if words else ""
    if verb in {"PUB", "HPUB", "MSG", "HMSG"}:
        payload = await reader.readexactly(int(words[-1]) + 2)
        return Operation(verb, words[1].decode(), line + payload)
    return Operation(verb, "", line)


class NatsProxy:
    """`url` is what the client connects to. The taps may be replaced at any time."""

    def __init__(self, server_url: str) -> None:
        self._target = urlsplit(server_url)
        self.url = ""
        self.to_server: Tap = _pass
        self.to_client: Tap = _pass
        self.passed_to_server: Passed = _ignore
        self._wires: set[asyncio.StreamWriter] = set()
        self._serving: set[asyncio.Task[None]] = set()

    def _begin(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._wires.add(writer)
        task = asyncio.create_task(self._serve(reader, writer))
        self._serving.add(task)
        task.add_done_callback(self._serving.discard)

    async def close(self) -> None:
        """Break every connection, one that is just being made as well."""
        for task in self._serving:
            task.cancel()
        self.cut()
        if self._serving:
            await asyncio.wait(self._serving)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        ends = {writer}
        with suppress(asyncio.CancelledError):
            await self._pass_on(reader, writer, ends)

    async def _pass_on(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, ends: set[asyncio.StreamWriter]
    ) -> None:
        try:
            upstream_reader, upstream_writer = await asyncio.open_connection(self._target.hostname, self._target.port)
            ends.add(upstream_writer)
            self._wires.add(upstream_writer)
            async with asyncio.TaskGroup() as group:
                group.create_task(self._upwards(reader, upstream_writer))
                group.create_task(self._downwards(upstream_reader, writer))
        except* (asyncio.IncompleteReadError, OSError):
            pass
        finally:
            self._wires -= ends
            for end in ends:
                end.close()

    async def _upwards(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            operation = await _operation(reader)
            if await self.to_server(operation):
                writer.write(operation.raw)
                await writer.drain()
                await self.passed_to_server(operation)

    async def _downwards(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            operation = await _operation(reader)
            if await self.to_client(operation):
                writer.write(operation.raw)
                await writer.drain()

    def cut(self) -> None:
        """Break every connection; clients may connect again."""
        for writer in self._wires:
            writer.transport.abort()


@asynccontextmanager
async def nats_proxy(server_url: str) -> AsyncGenerator[NatsProxy]:
    proxy = NatsProxy(server_url)
    server = await asyncio.start_server(proxy._begin, "127.0.0.1", 0)
    target = urlsplit(server_url)
    credentials = target.netloc.rpartition("@")[0]
    port = server.sockets[0].getsockname()[1]
    proxy.url = urlunsplit(
        target._replace(netloc=f"{credentials}@127.0.0.1:{port}" if credentials else f"127.0.0.1:{port}")
    )
    try:
        yield proxy
    finally:
        server.close()
        await proxy.close()
        await server.wait_closed()
