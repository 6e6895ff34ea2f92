"""A worker's answer while it arrives: its head, and its body piece by piece."""

import asyncio
from collections.abc import Callable
from typing import Final

from services.api.upstream.errors import UpstreamError

_MOST_UNREAD: Final = 65_536
"""Bytes. Beyond it the worker is not read until the reader has taken them; one read may bring 64 kB more."""


class Answer:
    """The caller reads `status`, `headers` (names in lower case, values and order as sent) and chunks.

    The connection fills it: begin, add, end, or fail at any point. It has one reader at a time. `all_written`: the
    transport has the whole request.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, transport: asyncio.Transport) -> None:
        self.status = 0
        self.headers: list[tuple[bytes, bytes]] = []
        self.ended = False
        self.all_written = True
        self._loop = loop
        self._transport = transport
        self._parts: list[bytes] = []
        self._unread = 0
        self._paused = False
        self._error: UpstreamError | None = None
        self._waiter: asyncio.Future[None] | None = None
        self._take: Callable[[bytes], bool] | None = None
        self._heard_at = 0.0

    @property
    def request_taken(self) -> bool:
        """Whether no part of the request is held any more. A worker may answer before it has read all."""
        return self.all_written and self._transport.get_write_buffer_size() == 0

    @property
    def at_end(self) -> bool:
        """Whether all of the body has been read."""
        return self.ended and not self._parts

    async def chunk(self, take: Callable[[bytes], bool] | None = None) -> bytes:
        """The body's bytes that have arrived, at least one; b"" at its end. Raises UpstreamError.

        Bytes that arrived before an error are returned first. While this waits, `take` gets what arrives, without a
        switch of tasks, until it returns False. Raises what it raises.
        """
        while not self._parts:
            if self._error is not None:
                raise self._error
            if self.ended:
                return b""
            await self._next_change(take)
        taken = self._parts[0] if len(self._parts) == 1 else b"".join(self._parts)
        self._parts.clear()
        self._unread = 0
        self._read_on()
        return taken

    async def head(self) -> None:
        """Wait for `status` and `headers`. Raises UpstreamError."""
        while not self.status:
            if self._error is not None:
                raise self._error
            await self._next_change()

    def begin(self, status: int, headers: list[tuple[bytes, bytes]]) -> None:
        self.status, self.headers = status, headers
        self._notify()

    def add(self, data: bytes) -> None:
        if self._take is not None:
            self._offer(data, self._take)
            return
        self._parts.append(data)
        self._unread += len(data)
        if self._unread > _MOST_UNREAD and not self._paused and not self._transport.is_closing():
            self._paused = True
            self._transport.pause_reading()
        self._notify()

    def end(self) -> None:
        self.ended = True
        self._read_on()
        self._notify()

    def fail(self, error: UpstreamError) -> None:
        """Has no effect on an answer that has already ended or failed."""
        if not self.ended and self._error is None:
            self._error = error
            self._notify()

    def heard(self) -> None:
        """Note a sign of life, with or without data."""
        self._heard_at = self._loop.time()

    def silent_s(self, now: float) -> float:
        """How long the reader has waited without a sign of life."""
        return 0.0 if self._waiter is None else now - self._heard_at

    def _read_on(self) -> None:
        if self._paused:
            self._paused = False
            if not self._transport.is_closing():
                self._transport.resume_reading()

    def _offer(self, data: bytes, take: Callable[[bytes], bool]) -> None:
        try:
            if not take(data):
                self._take = None
        except Exception as error:  # noqa: BLE001  the reader's, as if it had called
            self._take = None
            if self._waiter is not None and not self._waiter.done():
                self._waiter.set_exception(error)

    async def _next_change(self, take: Callable[[bytes], bool] | None = None) -> None:
        self.heard()  # a reader that comes late has not waited yet
        self._waiter, self._take = self._loop.create_future(), take
        try:
            await self._waiter
        finally:
            self._waiter = self._take = None

    def _notify(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)
