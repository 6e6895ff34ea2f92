"""The answer to one client, and how far it has been sent."""

from collections.abc import Awaitable, Sequence
from typing import Final

from litestar.types import Message, Send

from services.api.http.front.pushing import Push
from services.api.router.formats import Format
from services.api.router.refusal import Refusal, send_json

EVENT_STREAM: Final = b"text/event-stream"
Headers = Sequence[tuple[bytes, bytes]]


class Response:
    """Sends the answer with our `own` headers; a stream may begin before it is known who answers.

    `format` is that of errors; `push` that of the server.
    """

    def __init__(self, send: Send, push: Push, own: list[tuple[bytes, bytes]], format_: Format) -> None:
        self._send = send
        self.push = push
        self.own = own
        self.format = format_
        self.begun = False
        self.streams = False

    def __call__(self, message: Message) -> Awaitable[None]:
        if message["type"] == "http.response.start":
            self.begun = True
            message["headers"] = [*message["headers"], *self.own]
        return self._send(message)

    async def begin(self, status: int, headers: Headers, *, streams: bool) -> None:
        """Does nothing if it has begun already."""
        if not self.begun:
            self.streams = streams
            await self({"type": "http.response.start", "status": status, "headers": list(headers)})

    async def begin_stream(self) -> None:
        await self.begin(200, [(b"content-type", EVENT_STREAM), (b"cache-control", b"no-store")], streams=True)

    async def body(self, chunk: bytes) -> None:
        await self({"type": "http.response.body", "body": chunk, "more_body": True})

    async def end(self, last: bytes = b"") -> None:
        await self({"type": "http.response.body", "body": last, "more_body": False})

    async def refuse(self, refused: Refusal) -> None:
        """An answer that has begun and is no stream stays incomplete, and the server cuts it."""
        if not self.begun:
            await send_json(self, refused.status, self.format.body(refused), refused.headers)
        elif self.streams:
            await self.end_stream(self.format.event(refused))

    async def end_stream(self, event: bytes, *, inside_event: bool = False) -> None:
        """End a stream that has begun with this event, and without [DONE]."""
        await self.end((b"\n\n" if inside_event else b"") + event)
