"""As much of ASGI as the worker needs: read a body, answer with JSON, text or server-sent events."""

import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, MutableMapping
from dataclasses import dataclass, field
from typing import Any, Final, TypeAlias

Message: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[Message]]
Send: TypeAlias = Callable[[Message], Awaitable[None]]

DONE: Final = "data: [DONE]\n\n"
"""OpenAI's end of a stream."""


@dataclass(frozen=True)
class Reply:
    """One whole answer; `body` is JSON, unless it is text, or None for an empty body without a type."""

    body: Any
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    content_type: str = "text/plain; charset=utf-8"
    """Of a text."""
    finish_reasons: tuple[str, ...] = ()
    """Why each choice ended, for the counter of what was served."""


@dataclass(frozen=True)
class Stream:
    """Server-sent events, as they are sent."""

    events: AsyncIterator[str]
    finish_reasons: tuple[str, ...]
    status: int = 200


Answer: TypeAlias = Reply | Stream


def data(body: Any) -> str:
    """One event without a name."""
    return f"data: {json.dumps(body)}\n\n"


def event(body: Mapping[str, Any]) -> str:
    """One event that is named by its type."""
    return f"event: {body['type']}\n{data(body)}"


async def body_of(receive: Receive) -> bytes:
    whole = bytearray()
    while True:
        message = await receive()
        whole += message.get("body", b"")
        if message["type"] == "http.disconnect" or not message.get("more_body", False):
            return bytes(whole)


async def disconnected(receive: Receive) -> None:
    """Returns when the client has left; to be called once the body was read."""
    while (await receive())["type"] != "http.disconnect":
        pass


async def send(answer: Answer, headers: Mapping[str, str], asgi_send: Send) -> None:
    """Send the answer with these headers and its own."""
    if isinstance(answer, Stream):
        await _begin(asgi_send, answer.status, {"content-type": "text/event-stream; charset=utf-8", **headers})
        async for sent in answer.events:
            await asgi_send({"type": "http.response.body", "body": sent.encode(), "more_body": True})
        await asgi_send({"type": "http.response.body", "body": b""})
        return
    content, kind = _encoded(answer)
    await _begin(asgi_send, answer.status, {"content-length": str(len(content)), **kind, **headers, **answer.headers})
    await asgi_send({"type": "http.response.body", "body": content})


def _encoded(reply: Reply) -> tuple[bytes, dict[str, str]]:
    """The body, and the header with its type."""
    if reply.body is None:
        return b"", {}
    if isinstance(reply.body, str):
        return reply.body.encode(), {"content-type": reply.content_type}
    return json.dumps(reply.body).encode(), {"content-type": "application/json"}


async def _begin(asgi_send: Send, status: int, headers: Mapping[str, str]) -> None:
    encoded = [(name.encode(), value.encode()) for name, value in headers.items()]
    await asgi_send({"type": "http.response.start", "status": status, "headers": encoded})
