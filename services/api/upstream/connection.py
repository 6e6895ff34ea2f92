"""One socket to a worker: a request goes out, its answer comes in, and then perhaps the next."""

import asyncio
import select
from collections.abc import Callable
from typing import Final, cast

from services.api.upstream.answer import Answer
from services.api.upstream.answer_parser import AnswerParser
from services.api.upstream.errors import ConnectionLost, UpstreamError
from services.api.upstream.request import Address

_AT_ONCE: Final = 262_144
"""Bytes of a body that are given to the transport at once; it copies what the socket does not take."""
_READ: Final = memoryview(bytearray(65_536))
"""The buffer for reads from any worker, processed at once; its size limits one read."""


class WorkerConnection(asyncio.BufferedProtocol):
    """`lost` is called when it is closed, by either side."""

    def __init__(self, address: Address, lost: Callable[["WorkerConnection"], None]) -> None:
        self.address = address
        self.idle_since = 0.0
        self.gone: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._lost = lost
        self._parser = AnswerParser()
        self._answer: Answer | None = None
        self._unsent = memoryview(b"")
        self._may_write = True

    def send(self, head: bytes, body: bytes, *, to_head: bool, last: bool) -> Answer:
        """Send a request. What does not go out at once follows as the worker takes it."""
        self._answer = answer = Answer(asyncio.get_running_loop(), self._transport)
        self._parser.expect(answer, to_head=to_head, last=last)
        if not self.usable:
            answer.fail(ConnectionLost("closed by the worker before it was asked"))
        elif len(body) <= _AT_ONCE:
            self._transport.write(head + body)
        else:
            self._transport.write(head)
            self._unsent = memoryview(body)
            answer.all_written = False
            self._send_on()
        return answer

    @property
    def busy(self) -> bool:
        return self._answer is not None

    @property
    def usable(self) -> bool:
        return not self._transport.is_closing()

    @property
    def undisturbed(self) -> bool:
        """Whether the socket has no unread data from the worker, not even its close."""
        return self.usable and not self._arrived.poll(0)

    @property
    def reusable(self) -> bool:
        """Whether both sides have finished, and neither wants to close."""
        at_rest = self._answer is None or (self._answer.ended and not self._unsent)
        return at_rest and self._parser.go_on and self.usable

    def rest(self, now: float) -> None:
        self._answer = None
        self.idle_since = now

    def silent_s(self, now: float) -> float:
        return 0.0 if self._answer is None else self._answer.silent_s(now)

    def break_off(self, error: UpstreamError) -> None:
        """Close at once, whatever is still on its way in either direction."""
        if self._answer is not None:
            self._answer.fail(error)
        self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._arrived = select.poll()
        if (own := transport.get_extra_info("socket")) is not None:
            self._arrived.register(own.fileno(), select.POLLIN)

    def get_buffer(self, sizehint: int) -> memoryview:
        del sizehint
        return _READ

    def buffer_updated(self, nbytes: int) -> None:
        self.data_received(_READ[:nbytes])

    def data_received(self, data: bytes | memoryview) -> None:
        if self._answer is None or self._answer.ended:
            self._transport.abort()  # data without a request
            return
        try:
            self._parser.feed(data)
        except ConnectionLost as error:
            self.break_off(error)

    def eof_received(self) -> None:
        """The transport closes itself afterwards."""
        if self._answer is not None:
            try:
                self._parser.end()
            except ConnectionLost as error:
                self._answer.fail(error)

    def connection_lost(self, exc: Exception | None) -> None:
        self._unsent = memoryview(b"")
        if self._answer is not None:
            self._answer.fail(ConnectionLost(f"broken off: {exc!r}"))
        self.gone.set_result(None)
        self._lost(self)

    def pause_writing(self) -> None:
        self._may_write = False

    def resume_writing(self) -> None:
        self._may_write = True
        if self._answer is not None:
            self._answer.heard()  # a worker that takes our data is alive
        self._send_on()

    def _send_on(self) -> None:
        while self._unsent and self._may_write and self.usable:
            part, self._unsent = self._unsent[:_AT_ONCE], self._unsent[_AT_ONCE:]
            self._transport.write(part)
        if self._answer is not None and not self._unsent:
            self._answer.all_written = True
