"""Requests to a worker over HTTP/1.1, one after the other: every byte of each answer is bounded.

They ask for nothing that could enlarge an answer: no compression, no redirect, no upgrade. A connection on which bytes
came after an answer is not used again. The caller must limit the time.
"""

import asyncio
import json
import socket
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Final

import h11

from services.health.worker_pipe import WorkerPipe
from shared.worker_tls import WorkerTls, connect

HEAD: Final = 16 * 1024
"""The most bytes of a status line with its headers, of a chunk's head, or of trailers."""
_FRAMES: Final = 64 * 1024
"""The most bytes beside the body: heads, and the framing of chunks."""
_MOST_PIECES: Final = 4096
"""The most chunks of a body: a chunk of a single byte costs as much work as one of thousands."""
_MOST_PREFACES: Final = 4
_SUCCESS: Final = 200


@dataclass(frozen=True)
class WorkerAnswer:
    """`body` is set for a 200, and empty for every other status."""

    status: int
    body: bytes = b""


class NotConnected(Exception):
    """`cause` is the system's error; None if nobody accepted the connection in time."""

    def __init__(self, cause: OSError | None) -> None:
        super().__init__(repr(cause) if cause else "no connection in time")
        self.cause = cause


class TooLarge(Exception):
    """A part of the answer exceeds its limit; the message says which."""


class NotHttp(Exception):
    """The answer breaks the protocol, or was not asked for; the message says how."""


@dataclass(frozen=True)
class Question:
    method: str
    path: str
    bearer: str = field(repr=False)
    body: dict[str, Any] | None = None

    def encoded(self, host: str, *, last: bool) -> list[h11.Event]:
        """`last`: the connection is asked nothing more."""
        body = b"" if self.body is None else json.dumps(self.body).encode()
        headers = [("Host", host), ("Authorization", f"Bearer {self.bearer}")]
        if last:
            headers.append(("Connection", "close"))
        if body:
            headers += [("Content-Type", "application/json"), ("Content-Length", str(len(body)))]
        request = h11.Request(method=self.method, target=self.path, headers=headers)
        return [request, *([h11.Data(data=body)] if body else []), h11.EndOfMessage()]


@dataclass(frozen=True)
class Place:
    """An IP address and a port of a worker, and our side of its TLS; without `tls` it speaks plain HTTP."""

    address: str
    port: int
    tls: WorkerTls | None = None

    @property
    def host(self) -> str:
        return f"[{self.address}]:{self.port}" if ":" in self.address else f"{self.address}:{self.port}"


class _ClosedMeanwhile(Exception):
    """The worker has closed a kept connection just as it was used again."""


@dataclass
class _Connection:
    pipe: WorkerPipe
    protocol: h11.Connection = field(default_factory=lambda: h11.Connection(h11.CLIENT, max_incomplete_event_size=HEAD))
    kept: bool = False
    """It has answered before."""

    @property
    def reusable(self) -> bool:
        """Whether both sides have finished, the worker wants to go on, and nothing came that was not asked for."""
        done = self.protocol.our_state is h11.DONE and self.protocol.their_state is h11.DONE
        return done and self.protocol.trailing_data == (b"", False)


class Line:
    """Keeps the connections of one worker's questions for the next: what costs most is the beginning of their TLS."""

    def __init__(self) -> None:
        self._kept: list[_Connection] = []

    def take(self) -> _Connection | None:
        while self._kept:
            kept = self._kept.pop()
            if not kept.pipe.disturbed:
                return kept
            kept.pipe.abort()
        return None

    def keep(self, connection: _Connection) -> None:
        connection.protocol.start_next_cycle()
        connection.kept = True
        self._kept.append(connection)

    def close(self) -> None:
        while self._kept:
            self._kept.pop().pipe.abort()


async def ask(
    place: Place, question: Question, *, longest: int, connect_s: float, line: Line | None = None
) -> WorkerAnswer:
    """The answer, its body of at most `longest` bytes. Without a line the connection is for this question alone.

    Raises NotConnected, WrongCertificate, TooLarge, NotHttp, and OSError if the connection breaks.
    """
    if line is not None and (kept := line.take()) is not None:
        with suppress(_ClosedMeanwhile):
            return await _asked(kept, place, question, longest, line)
    pipe = await _opened(place, await connected(place.address, place.port, connect_s))
    return await _asked(_Connection(pipe), place, question, longest, line)


async def _asked(
    connection: _Connection, place: Place, question: Question, longest: int, line: Line | None
) -> WorkerAnswer:
    reading = _Reading(connection, longest)
    try:
        events = question.encoded(place.host, last=line is None)
        await connection.pipe.send(b"".join(connection.protocol.send(event) or b"" for event in events))
        answer = await reading.answer()
    except BaseException as error:
        connection.pipe.abort()
        if connection.kept and reading.received == 0 and isinstance(error, OSError | h11.RemoteProtocolError):
            raise _ClosedMeanwhile from error
        if isinstance(error, h11.RemoteProtocolError):
            raise NotHttp("an answer that is no HTTP") from error
        raise
    if line is not None and connection.reusable:
        line.keep(connection)
    else:
        connection.pipe.abort()
    return answer


async def connected(address: str, port: int, within_s: float) -> socket.socket:
    """Raises NotConnected."""
    try:
        async with asyncio.timeout(within_s) as limit:
            return await connect(address, port)
    except OSError as error:  # TimeoutError is one: ours, or the system's own
        raise NotConnected(None if limit.expired() else error) from error


async def _opened(place: Place, connection: socket.socket) -> WorkerPipe:
    """Raises WrongCertificate, and OSError for every other error of TLS."""
    if place.tls is None:
        return WorkerPipe(connection)
    return await WorkerPipe.secured(connection, place.address, place.tls)


@dataclass
class _Reading:
    connection: _Connection
    longest: int
    received: int = 0

    async def answer(self) -> WorkerAnswer:
        response = await self._response()
        if response.status_code != _SUCCESS:
            return WorkerAnswer(response.status_code)
        if any(name == b"content-encoding" and value.lower() != b"identity" for name, value in response.headers):
            raise NotHttp("a compressed answer, which nobody asked for")
        body, pieces = bytearray(), 0
        while not isinstance(event := await self._event(), h11.EndOfMessage):
            if not isinstance(event, h11.Data):
                raise NotHttp("an answer without an end")
            body += event.data
            pieces += 1
            if len(body) > self.longest:
                raise TooLarge(f"an answer of more than {self.longest} bytes")
            if pieces > _MOST_PIECES:
                raise TooLarge(f"an answer of more than {_MOST_PIECES} pieces")
        return WorkerAnswer(_SUCCESS, bytes(body))

    async def _response(self) -> h11.Response:
        for _ in range(_MOST_PREFACES + 1):
            event = await self._event()
            if isinstance(event, h11.Response):
                return event
            if not isinstance(event, h11.InformationalResponse):
                raise NotHttp("no answer at all")
        raise TooLarge(f"more than {_MOST_PREFACES} interim answers")

    async def _event(self) -> h11.Event | type[h11.NEED_DATA] | type[h11.PAUSED]:
        while True:
            event = self.connection.protocol.next_event()
            if event is not h11.NEED_DATA:
                return event
            received = await self.connection.pipe.receive()
            self.received += len(received)
            if self.received > self.longest + _FRAMES:
                raise TooLarge(f"an answer of more than {self.longest} bytes")
            self.connection.protocol.receive_data(received)
