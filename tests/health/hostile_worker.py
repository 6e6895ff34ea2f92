"""A port that answers every question with whatever bytes it is told to, and counts how many it got rid of."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable, Iterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass


@dataclass
class HostileWorker:
    """`answer` is what it sends, piece by piece; one that ends is followed by a closed connection."""

    port: int = 0
    answer: Iterable[bytes] = ()
    sent: int = 0

    async def play(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError, asyncio.IncompleteReadError):
            await reader.readuntil(b"\r\n\r\n")
            for piece in self.answer:
                writer.write(piece)
                await writer.drain()
                self.sent += len(piece)


@asynccontextmanager
async def a_port(play: Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]) -> AsyncGenerator[int]:
    """Each connection is played to until the block ends, which leaves none open."""
    playing = set[asyncio.Task[None]]()

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        playing.add(task)
        try:
            await play(reader, writer)
            writer.close()
        except asyncio.CancelledError:
            writer.transport.abort()
        finally:
            playing.discard(task)

    async with await asyncio.start_server(connected, "127.0.0.1", 0) as server:
        yield server.sockets[0].getsockname()[1]
        for task in playing:
            task.cancel()
        while playing:
            await asyncio.wait(tuple(playing))


@asynccontextmanager
async def a_hostile_worker(answer: Iterable[bytes] = ()) -> AsyncGenerator[HostileWorker]:
    worker = HostileWorker(answer=answer)
    async with a_port(worker.play) as worker.port:
        yield worker


def endlessly(piece: bytes, *, after: bytes = b"") -> Iterator[bytes]:
    """`piece` again and again, in writes that are large enough to be fast."""
    many = piece * max(1, 65_536 // len(piece))
    yield after
    while True:
        yield many
