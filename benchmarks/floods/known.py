"""The floods of a key that is limited, and of a worker that has turned: `python -m benchmarks.floods.known` runs one.

NAME HOST PORT KEY WORKER_PORT: the worker's floods come from WORKER, where an instance of the model is said to be.
"""

import asyncio
import sys
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field

from benchmarks.router.scene import OFFERING

WORKER = "127.83.12.9"
MEGABYTE = b"a" * 1_000_000
HELD_S = 3.0
LASTS_S = 8.0
HEAD = (
    b"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
    b"Authorization: Bearer %b\r\nContent-Length: %d\r\n\r\n"
)
STREAM = b'{"model":"%b","stream":true,"messages":[]}' % OFFERING.encode()
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}"
EVENTS = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"


@dataclass(frozen=True)
class Api:
    host: str
    port: int
    key: bytes

    async def asked(self, body: bytes, *, held_s: float = 0.0) -> None:
        """All but its last byte goes out at once."""
        reader, writer = await asyncio.open_connection(self.host, self.port)
        writer.write(HEAD % (self.key, len(body)))
        for at in range(0, len(body) - 1, len(MEGABYTE)):
            writer.write(body[at : min(at + len(MEGABYTE), len(body) - 1)])
            await writer.drain()
        await asyncio.sleep(held_s)
        writer.write(body[-1:])
        while await reader.read(len(MEGABYTE)):
            pass


@dataclass(frozen=True)
class Flood:
    """`limits` are those of its key; `says` is what its worker does with each connection, once it was asked."""

    name: str
    run: Callable[[Api], Awaitable[None]]
    says: Callable[[asyncio.StreamWriter], Awaitable[None]]
    limits: dict[str, int] = field(default_factory=dict)


async def one_request(api: Api) -> None:
    await api.asked(STREAM)


async def forty_bodies(api: Api) -> None:
    body = b'{"model":"%b","x":"%b"}' % (OFFERING.encode(), MEGABYTE * 31)
    await asyncio.gather(*(api.asked(body, held_s=HELD_S) for _ in range(40)), return_exceptions=True)


async def renamed(api: Api) -> None:
    await api.asked(b'{"x":[%b0],"model":"%b","y":"model"}' % (b'"model",[],' * 2_800_000, OFFERING.encode()))


async def an_answer(writer: asyncio.StreamWriter) -> None:
    writer.write(ANSWER)


async def single_bytes(writer: asyncio.StreamWriter) -> None:
    writer.write(EVENTS + b"\r\ndata: {" + MEGABYTE * 4)
    await writer.drain()
    while True:
        writer.write(b"a")
        await asyncio.sleep(0.0005)


async def endless_trailer(writer: asyncio.StreamWriter) -> None:
    writer.write(EVENTS + b"Transfer-Encoding: chunked\r\n\r\n2\r\n:\n\r\n0\r\nX: ")
    while True:
        writer.write(MEGABYTE)
        await writer.drain()


async def endless_extension(writer: asyncio.StreamWriter) -> None:
    writer.write(EVENTS + b"Transfer-Encoding: chunked\r\n\r\n2;x=")
    while True:
        writer.write(MEGABYTE)
        await writer.drain()


KNOWN = (
    Flood("one request a minute, 40 bodies of 31 MB", forty_bodies, an_answer, {"requests_per_minute": 1}),
    Flood("no limits, 40 bodies of 31 MB", forty_bodies, an_answer),
    Flood("a body of 31 MB, renamed", renamed, an_answer),
    Flood("an event of 4 MB, then byte by byte", one_request, single_bytes),
    Flood("an endless trailer", one_request, endless_trailer),
    Flood("an endless chunk extension", one_request, endless_extension),
)


async def main(name: str, host: str, port: int, key: str, worker_port: int) -> None:
    (flood,) = (flood for flood in KNOWN if flood.name == name)

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            await reader.readuntil(b"\r\n\r\n")
            answering = asyncio.ensure_future(flood.says(writer))
            while await reader.read(len(MEGABYTE)):
                pass
            answering.cancel()
        writer.close()

    server = await asyncio.start_server(connected, WORKER, worker_port)
    with suppress(OSError, TimeoutError):
        async with asyncio.timeout(LASTS_S):
            await flood.run(Api(host, port, key.encode()))
    server.close()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2], int(sys.argv[3]), sys.argv[4], int(sys.argv[5])))
