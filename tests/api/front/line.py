"""The front server with a test application, on loopback, with the test's clock."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from litestar.types import ASGIApp, Receive, Scope, Send
from uvicorn.server import ServerState

from services.api.http.front.connection import ClientConnection
from services.api.http.front.front import Front
from services.api.http.front.limits import ClientLimits
from services.api.http.front.recognition import recognise

PATIENCE_S = 120.0
VALID = (b"authorization", b"Bearer valid")


class Clock:
    def __init__(self) -> None:
        self.ahead_s = 0.0
        self._time = asyncio.get_running_loop().time

    def __call__(self) -> float:
        return self._time() + self.ahead_s


@dataclass
class Client:
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    async def say(self, said: bytes) -> None:
        self.writer.write(said)
        await self.writer.drain()

    async def answer(self) -> bytes:
        """One whose body has a length."""
        async with asyncio.timeout(PATIENCE_S):
            head = await self.reader.readuntil(b"\r\n\r\n")
            length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
            return head + await self.reader.readexactly(length)

    async def rest(self) -> bytes:
        async with asyncio.timeout(PATIENCE_S):
            read = await self.reader.read()
        self.writer.close()
        return read


@dataclass
class Counting:
    """Answers when the whole body is there. Refuses a request without a key at once where a key is needed."""

    asked: list[Scope] = field(default_factory=list)
    bodies: list[bytes] = field(default_factory=list)
    left: asyncio.Event = field(default_factory=asyncio.Event)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.asked.append(scope)
        if VALID in scope["headers"]:
            recognise(scope)
        elif scope["path"] == "/keys-only":
            await answer(send, 401, b"who?")
            return
        body = b""
        while True:
            message = await receive()
            if message["type"] != "http.request":
                self.left.set()
                return
            body += message["body"]
            if not message["more_body"]:
                break
        self.bodies.append(body)
        await answer(send, 200, b"ok")


async def answer(send: Send, status: int, body: bytes) -> None:
    headers = [(b"content-length", b"%d" % len(body))]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body, "more_body": False})


@dataclass
class Line:
    front: Front
    port: int
    clock: Clock
    app: Counting

    def later(self, seconds: float) -> None:
        self.clock.ahead_s += seconds
        self.front.look()

    async def client(self, said: bytes = b"") -> Client:
        client = Client(*await asyncio.open_connection("127.0.0.1", self.port))
        await client.say(said)
        return client

    async def told(self, said: bytes) -> bytes:
        """All bytes of the answer until the server closes the connection."""
        client = await self.client(said)
        return await client.rest()


@asynccontextmanager
async def a_line(limits: ClientLimits | None = None, app: ASGIApp | None = None) -> AsyncGenerator[Line]:
    clock, counting = Clock(), Counting()
    state = ServerState()
    front = Front(app or counting, limits or ClientLimits(), state, clock)
    server = await asyncio.get_running_loop().create_server(lambda: ClientConnection(front), "127.0.0.1", 0)
    try:
        yield Line(front, server.sockets[0].getsockname()[1], clock, counting)
    finally:
        server.close()
        tasks = tuple(state.tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for connection in tuple(state.connections):
            connection.shutdown()
