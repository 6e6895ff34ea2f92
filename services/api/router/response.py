"""The answer to one client, and how far it has been sent."""

from collections.abc import Sequence
from typing import Final

from litestar.types import Message, Send

EVENT_STREAM: Final = b"text/event-stream"
Headers = Sequence[tuple[bytes, bytes]]


class Response:
    """Sends the answer with our `own` headers; a stream may begin before it is known who answers."""

    def __init__(self, send: Send, own: list[tuple[bytes, bytes]]) -> None:
        self._send = send
        self.own = own
        self.begun = False
        self.streams = False
        self.complete = False

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.begun = True
            message["headers"] = [*message["headers"], *self.own]
        elif not message.get("more_body", False):
            self.complete = True
        await self._send(message)

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

    async def end_stream(self, error: bytes, *, inside_event: bool = False) -> None:
        """End a stream that has begun with an error in OpenAI's shape, and without [DONE]."""
        ending = b"\n\n" if inside_event else b""
        await self.end(ending + b"data: " + error.replace(b"\n", b"\ndata: ") + b"\n\n")
