"""A connection without a network: its calls of the transport are recorded, and the test feeds in what arrives."""

import asyncio

from services.api.upstream import Address, Answer
from services.api.upstream.connection import WorkerConnection


class Wire(asyncio.Transport):
    """As much of a transport as a connection asks for."""

    def __init__(self) -> None:
        super().__init__()
        self.sent: list[bytes] = []
        self.closed = False
        self.reading = True

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.sent.append(bytes(data))

    def pause_reading(self) -> None:
        assert self.reading
        self.reading = False

    def resume_reading(self) -> None:
        assert not self.reading
        self.reading = True

    def is_closing(self) -> bool:
        return self.closed

    def abort(self) -> None:
        self.closed = True


def an_open_connection(wire: Wire) -> WorkerConnection:
    connection = WorkerConnection(Address("worker", 80), _nothing)
    connection.connection_made(wire)
    return connection


def asked(connection: WorkerConnection, body: bytes = b"") -> Answer:
    return connection.send(b"", body, to_head=False, last=False)


def _nothing(_: WorkerConnection) -> None: ...
