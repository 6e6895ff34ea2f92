"""A response of server-sent events that lasts until either side ends it."""

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing

import structlog
from litestar.response.base import ASGIResponse
from litestar.types import Receive, Scope, Send

from services.api.http.connection import WhileConnected
from shared.bus.reader import ReadingInterrupted

log = structlog.get_logger()


class EventStream(ASGIResponse):
    """Sends the messages of an EventSource until either side ends it.

    `allowed` is checked before each message: a client whose key was revoked, or whose session is over, gets no more.
    """

    def __init__(self, messages: AsyncGenerator[bytes], stall_s: float, allowed: Callable[[], bool]) -> None:
        super().__init__()
        self._messages = messages
        self._stall_s = stall_s
        self._allowed = allowed

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002
        async with WhileConnected(scope):
            await self._send_all(send)

    async def _send_all(self, send: Send) -> None:
        await send(
            {
                "type": "http.response.start",
                "status": 200,
                "headers": [
                    (b"content-type", b"text/event-stream; charset=utf-8"),
                    (b"cache-control", b"no-store"),
                    (b"x-accel-buffering", b"no"),
                ],
            }
        )
        try:
            async with aclosing(self._messages) as messages:
                async for message in messages:
                    if not self._allowed():
                        break
                    async with asyncio.timeout(self._stall_s):
                        await send({"type": "http.response.body", "body": message, "more_body": True})
        except ReadingInterrupted as interruption:
            log.warning("event stream ended early", reason=str(interruption))
        except TimeoutError:
            log.info("event stream dropped: its client does not read")
            return
        await send({"type": "http.response.body", "body": b"", "more_body": False})
