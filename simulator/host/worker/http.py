"""As much of ASGI as the worker needs: read a JSON body, answer with JSON, text or server-sent events."""

import json
from collections.abc import AsyncIterator, Awaitable, Callable, MutableMapping
from dataclasses import dataclass
from typing import Any, TypeAlias

Message: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[Message]]
Send: TypeAlias = Callable[[Message], Awaitable[None]]


@dataclass(frozen=True)
class Reply:
    """One whole answer; `body` is JSON unless it is text already."""

    body: Any
    status: int = 200
    finish_reason: str | None = None
    """Why generating ended, for the counter of what was served."""


@dataclass(frozen=True)
class Stream:
    """Server-sent events, one a chunk, and OpenAI's `[DONE]` after the last."""

    chunks: AsyncIterator[Any]
    finish_reason: str


def error(status: int, kind: str, message: str) -> Reply:
    """An error in the shape of OpenAI's, as vLLM fills it."""
    return Reply({"error": {"message": message, "type": kind, "param": None, "code": status}}, status)


async def body_of(receive: Receive) -> bytes:
    whole = bytearray()
    while True:
        message = await receive()
        whole += message.get("body", b"")
        if message["type"] == "http.disconnect" or not message.get("more_body", False):
            return bytes(whole)


async def send(answer: Reply | Stream, send: Send) -> int:
    """Returns the status that was sent."""
    if isinstance(answer, Reply):
        text = isinstance(answer.body, str)
        content = answer.body.encode() if text else json.dumps(answer.body).encode()
        kind = b"text/plain; version=0.0.4; charset=utf-8" if text else b"application/json"
        await _begin(send, answer.status, kind, content_length=len(content))
        await send({"type": "http.response.body", "body": content})
        return answer.status
    await _begin(send, 200, b"text/event-stream; charset=utf-8")
    async for chunk in answer.chunks:
        await _event(send, json.dumps(chunk))
    await _event(send, "[DONE]")
    await send({"type": "http.response.body", "body": b""})
    return 200


async def _begin(send: Send, status: int, kind: bytes, content_length: int | None = None) -> None:
    headers = [(b"content-type", kind)]
    if content_length is not None:
        headers.append((b"content-length", str(content_length).encode()))
    await send({"type": "http.response.start", "status": status, "headers": headers})


async def _event(send: Send, data: str) -> None:
    await send({"type": "http.response.body", "body": f"data: {data}\n\n".encode(), "more_body": True})
