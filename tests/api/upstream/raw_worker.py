"""A worker in bytes: the test writes each connection's conversation."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from uuid import UUID

from services.api.upstream import Address
from shared.secrets import Secrets
from shared.worker_tls import WorkerTls
from tests.worker_tls.workers import server_context

PATIENCE_S = 120.0
OVER_TLS = False
"""Whether workers speak TLS; the fixture `over_tls` sets it."""
_SECRETS = Secrets("a master secret of at least thirty-two characters")
_INSTANCE = UUID(int=1)
Conversation = Callable[["Line"], Awaitable[None]]


@dataclass
class Line:
    """The worker's end of one connection."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    async def request(self) -> bytes:
        """The next one, whole."""
        head = await self.reader.readuntil(b"\r\n\r\n")
        lengths = [line.split(b":")[1] for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")]
        return head + await self.reader.readexactly(int(lengths[0]) if lengths else 0)

    async def say(self, *parts: bytes) -> None:
        for part in parts:
            self.writer.write(part)
            await self.writer.drain()

    async def left(self) -> None:
        """Wait until the other side has closed, in whatever way. What it sends before that is ignored."""
        try:
            while await self.reader.read(1 << 20):
                pass
        except ConnectionError:
            pass

    def reset(self) -> None:
        self.writer.transport.abort()


@dataclass
class RawWorker:
    address: Address
    accepted: int = 0
    open: int = 0
    requests: list[bytes] = field(default_factory=list)
    _changed: asyncio.Event = field(default_factory=asyncio.Event)

    async def nobody(self) -> None:
        """Wait until nobody is connected."""
        async with asyncio.timeout(PATIENCE_S):
            while self.open:
                self._changed.clear()
                await self._changed.wait()

    def moved(self, by: int) -> None:
        self.accepted += by == 1
        self.open += by
        self._changed.set()


def answering(*answers: bytes) -> Conversation:
    """Sends one of these answers for each request, unchanged; then waits until the other side closes."""

    async def conversation(line: Line) -> None:
        for answer in answers:
            await line.request()
            await line.say(answer)
        await line.left()

    return conversation


def breaking_off_after(said: bytes) -> Conversation:
    async def conversation(line: Line) -> None:
        await line.request()
        await line.say(said)

    return conversation


def a_json_answer(body: bytes = b"{}", *more: bytes) -> bytes:
    fields = b"".join(field + b"\r\n" for field in more)
    return b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n%b\r\n%b" % (len(body), fields, body)


@asynccontextmanager
async def a_raw_worker(*conversations: Conversation, host: str = "127.0.0.1") -> AsyncGenerator[RawWorker]:
    """The n-th connection gets the n-th conversation; all later ones get the last."""
    lines: set[asyncio.StreamWriter] = set()
    failures: list[BaseException] = []

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        conversation = conversations[min(worker.accepted, len(conversations) - 1)]
        lines.add(writer)
        worker.moved(+1)
        try:
            await conversation(Line(reader, writer))
        except (ConnectionError, asyncio.IncompleteReadError):
            pass  # the other side left in the middle
        except Exception as error:  # noqa: BLE001  raised again by the test below
            failures.append(error)
        finally:
            writer.close()
            lines.discard(writer)
            worker.moved(-1)

    context = server_context(_SECRETS.worker_certificates(_INSTANCE, 1)) if OVER_TLS else None
    server = await asyncio.start_server(connected, host, 0, ssl=context)
    tls = WorkerTls(_SECRETS, _INSTANCE, 1) if OVER_TLS else None
    worker = RawWorker(Address(host, server.sockets[0].getsockname()[1], tls))
    try:
        yield worker
    finally:
        server.close()
        for writer in tuple(lines):
            writer.transport.abort()
        await worker.nobody()
    assert not failures, failures
