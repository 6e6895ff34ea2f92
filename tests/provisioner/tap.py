"""A proxy that records what an SSH client sends before anything is encrypted, message by message."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Final

NEWKEYS: Final = 21


@dataclass
class Tap:
    port: int = 0
    sent: list[bytearray] = field(default_factory=list)
    """By connection, every byte that the client sent."""

    def messages(self) -> list[list[int]]:
        """The message numbers (RFC 4250, 4.1.2) of each connection, up to NEWKEYS. After it, all is encrypted."""
        return [_numbers(bytes(sent)) for sent in self.sent]


@asynccontextmanager
async def tapped(address: str, port: int) -> AsyncGenerator[Tap]:
    tap = Tap()

    async def pass_on(client: asyncio.StreamReader, client_end: asyncio.StreamWriter) -> None:
        record = bytearray()
        tap.sent.append(record)
        try:
            server, server_end = await asyncio.open_connection(address, port)
        except ConnectionError:
            client_end.close()
            return

        async def copy(source: asyncio.StreamReader, sink: asyncio.StreamWriter, seen: bytearray) -> None:
            with suppress(ConnectionError):
                while data := await source.read(65_536):
                    seen.extend(data)
                    sink.write(data)
                    await sink.drain()
            sink.close()

        await asyncio.gather(copy(client, server_end, record), copy(server, client_end, bytearray()))

    listening = await asyncio.start_server(pass_on, "127.0.0.1", 0)
    tap.port = listening.sockets[0].getsockname()[1]
    try:
        yield tap
    finally:
        listening.close()
        await listening.wait_closed()


def _numbers(sent: bytes) -> list[int]:
    """RFC 4253, 6: after a line of text, each packet is its length, its padding's length, its message."""
    _, _, packets = sent.partition(b"\r\n")
    found = []
    while packets:
        found.append(packets[5])
        if packets[5] == NEWKEYS:
            break
        packets = packets[4 + int.from_bytes(packets[:4]) :]
    return found
