"""One request and its answer, as an ASGI exchange."""

import asyncio
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Final, TypeAlias, cast

import structlog
from litestar.types import ASGIApp, Message, Scope

from services.api.http.front import refusals
from services.api.http.front.head import head

if TYPE_CHECKING:
    from services.api.http.front.connection import ClientConnection

_BUFFERED: Final = 65_536
"""The most bytes of an unread body that are buffered; beyond it reading pauses."""
_PIECE: Final = 65_536
"""Bytes of an answer's body written at once; more is written when the client has read them."""
_WITHOUT_BODY: Final = frozenset({204, 304})
_CONTINUE: Final = b"HTTP/1.1 100 Continue\r\n\r\n"
_GONE: Final[Any] = {"type": "http.disconnect"}

_Headers: TypeAlias = Sequence[tuple[bytes, bytes]]

log = structlog.get_logger()


class Exchange:
    """`whole`: the request is complete; `over`: the answer is, or nobody waits for it any more."""

    __slots__ = (
        "_app",
        "_awaits_continue",
        "_body",
        "_buffered",
        "_changed",
        "_chunked",
        "_connection",
        "_head",
        "_left",
        "_most_body",
        "_owed",
        "_received",
        "_unread",
        "_without_body",
        "answered",
        "begun",
        "keep_alive",
        "lost",
        "scope",
        "whole",
    )

    def __init__(
        self,
        connection: "ClientConnection",
        scope: Scope,
        app: ASGIApp,
        most_body: int,
        *,
        keep_alive: bool,
        awaits_continue: bool,
    ) -> None:
        self._connection = connection
        self._app = app
        self.scope = scope
        self.keep_alive = keep_alive
        self._most_body = most_body
        self._awaits_continue = awaits_continue
        self._body: list[bytes] = []
        self._buffered = 0
        self._received = 0
        self._changed: asyncio.Event | None = None
        self._left: Callable[[], None] | None = None
        self._unread = False
        self.whole = False
        self.begun = False
        self.answered = False
        self.lost = False
        self._chunked = False
        self._without_body = False
        self._owed: int | None = None
        self._head = b""

    @property
    def over(self) -> bool:
        return self.answered or self.lost

    async def run(self) -> None:
        problem = refusals.FAULT
        try:
            await self._app(self.scope, self.receive, self.send)  # type: ignore[arg-type]
        except asyncio.CancelledError:
            problem = refusals.STOPPING
            raise
        except Exception:
            log.exception("request failed", path=self.scope["path"])
        finally:
            self._left = None  # breaks a reference cycle
            if not self.over:  # the application has no other way to report that it failed
                self._connection.broken(self, problem)

    # Called by the connection

    def watch(self, left: Callable[[], None]) -> None:
        self._left = left

    def flush(self) -> None:
        """Send the head, if it is still held back."""
        if self._head:
            self._connection.write(self._head)
            self._head = b""

    def take(self, chunk: bytes) -> bool:
        """Take a part of the body; False if it is too large."""
        if self.over:
            return True
        self._received += len(chunk)
        if self._received > self._most_body:
            return False
        self._body.append(chunk)
        self._buffered += len(chunk)
        if self._buffered > _BUFFERED:
            self._connection.pause_reading()
        self._notify()
        return True

    def end(self) -> None:
        """The request is complete."""
        self.whole = True
        self._notify()

    def lose(self) -> None:
        """The client has left, or already got another answer: tell the application that it left."""
        self.lost = True
        self._body.clear()
        self._notify()
        if self._left is not None and not self.answered:
            self._left()

    def _notify(self) -> None:
        self._unread = True
        if self._changed is not None:
            self._changed.set()

    # Called by the application

    async def receive(self) -> Message:
        if self._awaits_continue and not self.over:
            self._connection.write(_CONTINUE)
        self._awaits_continue = False
        while not (self._unread or self.over):
            self._connection.resume_reading()
            if self._changed is None:
                self._changed = asyncio.Event()
            self._changed.clear()
            await self._changed.wait()
        if self.over:
            return cast("Message", _GONE)
        self._unread = False
        body = self._body[0] if len(self._body) == 1 else b"".join(self._body)
        self._body.clear()
        self._buffered = 0
        return cast("Message", {"type": "http.request", "body": body, "more_body": not self.whole})

    async def send(self, message: Message) -> None:
        """Raises RuntimeError for anything but an answer."""
        writable = self._connection.writable
        if writable is not None:
            await writable.wait()
        if self.lost:
            return
        if message["type"] == "http.response.start" and not self.begun:
            self._begin(int(message["status"]), cast("_Headers", message.get("headers", ())))
        elif message["type"] == "http.response.body" and self.begun and not self.answered:
            body, more = message.get("body", b""), bool(message.get("more_body", False))
            if len(body) > _PIECE:
                await self._send_in_pieces(memoryview(body), more=more)
            else:
                self._go_on(body, more=more)
        else:
            raise RuntimeError(message["type"])

    def push(self, body: bytes) -> None:
        """Send a part of the body, whether or not the client reads."""
        self._go_on(body, more=True)

    async def _send_in_pieces(self, body: memoryview, *, more: bool) -> None:
        for at in range(0, len(body), _PIECE):
            piece, follows = body[at : at + _PIECE], more or at + _PIECE < len(body)
            await self.send(cast("Message", {"type": "http.response.body", "body": piece, "more_body": follows}))

    def _begin(self, status: int, headers: _Headers) -> None:
        self._awaits_continue = False
        if not self.whole:  # otherwise the rest of the request would count as the next one
            self.keep_alive = False
        connection = self._connection
        modern = self.scope["http_version"] == "1.1"
        lines, framing = head(status, headers, connection.date, b"HTTP/1.1 " if modern else b"HTTP/1.0 ")
        length, says = framing.get(b"content-length"), framing.get(b"connection")
        closes = says is not None and b"close" in says.lower()
        if closes:
            self.keep_alive = False
        more = b"" if self.keep_alive or closes else b"connection: close\r\n"
        self._without_body = status in _WITHOUT_BODY or self.scope.get("method") == "HEAD"
        if not self._without_body:
            if length is not None:
                self._owed = int(length)
            elif modern:
                self._chunked = True
                more += b"transfer-encoding: chunked\r\n"
            elif self.keep_alive:
                self.keep_alive, more = False, b"connection: close\r\n"
        self.begun = True
        self._head = b"".join((lines, more, b"\r\n"))
        if length is None:  # otherwise the body follows: one write instead of two
            self.flush()

    def _go_on(self, body: bytes | memoryview, *, more: bool) -> None:
        if self._without_body:
            body = b""
        if self._owed is not None:
            self._owed -= len(body)
            if self._owed < 0 or (self._owed and not more):
                raise RuntimeError("The body's length is another one than its Content-Length.")
        if self._head:
            body, self._head = self._head + body, b""
        if self._chunked:
            last = b"" if more else b"0\r\n\r\n"
            self._connection.write(b"".join((b"%x\r\n" % len(body), body, b"\r\n", last)) if body else last)
        elif body:
            self._connection.write(body)
        if not more:
            self.answered = True
            self._body.clear()
            if self._changed is not None:
                self._changed.set()
            self._connection.answered(self)
