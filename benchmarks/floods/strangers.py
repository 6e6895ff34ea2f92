"""The floods of somebody without a key: `python -m benchmarks.floods.strangers NAME HOST PORT` runs one."""

import asyncio
import sys
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from itertools import count

MEGABYTE = b"a" * 1_000_000
HELD_S = 3.0
LASTS_S = 8.0
HEAD = b"GET /healthz HTTP/1.1\r\nHost: x\r\n"
BODY = b"POST %b HTTP/1.1\r\nHost: x\r\nContent-Type: %b\r\nContent-Length: %d\r\n\r\n"
CHAT = b"/v1/chat/completions"


@dataclass(frozen=True)
class Flood:
    """`files`: how many the api may have open, where that is limited."""

    name: str
    run: Callable[[str, int], Awaitable[None]]
    files: int | None = None


async def one_large_header(host: str, port: int) -> None:
    reader, writer = await asyncio.open_connection(host, port)
    writer.write(HEAD + b"X: ")
    for _ in range(111):
        writer.write(MEGABYTE)
        await writer.drain()
    writer.write(b"\r\n\r\n")
    await reader.read(1)
    writer.close()


async def endless_header(host: str, port: int) -> None:
    _, writer = await asyncio.open_connection(host, port)
    writer.write(HEAD + b"X: ")
    async with asyncio.timeout(LASTS_S):
        while True:
            writer.write(MEGABYTE)
            await writer.drain()


async def half_heads(host: str, port: int) -> None:
    await held(host, port, HEAD + b"X: y\r\n" * 4_500, 500)


async def stalled_bodies(host: str, port: int) -> None:
    form = BODY % (b"/sign-in", b"application/x-www-form-urlencoded", 900_000)
    await held(host, port, form + MEGABYTE[:600_000], 500)


async def idle_connections(host: str, port: int) -> None:
    await held(host, port, b"", 1_100)


async def held(host: str, port: int, said: bytes, connections: int) -> None:
    """Say that on each and wait."""
    opened = [await asyncio.open_connection(host, port) for _ in range(connections)]
    async with asyncio.timeout(LASTS_S):
        await asyncio.gather(*(_say(writer, said) for _, writer in opened))
    await asyncio.sleep(HELD_S)


async def _say(writer: asyncio.StreamWriter, said: bytes) -> None:
    writer.write(said)
    await writer.drain()


async def large_bodies(host: str, port: int) -> None:
    await asyncio.gather(*(_large_body(host, port) for _ in range(40)), return_exceptions=True)


async def _large_body(host: str, port: int) -> None:
    reader, writer = await asyncio.open_connection(host, port)
    writer.write(BODY % (CHAT, b"application/json", 31_000_000))
    for _ in range(31):
        writer.write(MEGABYTE)
        await writer.drain()
    await reader.read()
    writer.close()


async def wrong_keys(host: str, port: int) -> None:
    numbers = count()
    async with asyncio.timeout(LASTS_S):
        await asyncio.gather(*(_guessing(host, port, numbers) for _ in range(32)))


async def _guessing(host: str, port: int, numbers: "count[int]") -> None:
    reader, writer = await asyncio.open_connection(host, port)
    for number in numbers:
        writer.write(b"GET /v1/models HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer csk_%d\r\n\r\n" % number)
        head = await reader.readuntil(b"\r\n\r\n")
        await reader.readexactly(int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0]))


STRANGERS = (
    Flood("111 MB of one header", one_large_header),
    Flood("an endless header", endless_header),
    Flood("500 half heads", half_heads),
    Flood("500 stalled bodies", stalled_bodies),
    Flood("1,100 idle connections, 1,024 files", idle_connections, files=1_024),
    Flood("40 bodies of 31 MB", large_bodies),
    Flood("wrong keys, 32 connections", wrong_keys),
)


async def main(name: str, host: str, port: int) -> None:
    (flood,) = (flood for flood in STRANGERS if flood.name == name)
    with suppress(OSError, TimeoutError, asyncio.IncompleteReadError):
        await flood.run(host, port)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2], int(sys.argv[3])))
