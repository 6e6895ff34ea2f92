"""Somebody else's HTTP server, which keeps what it gets and answers what a test says."""

import asyncio
import json
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

PATIENCE_S = 120.0
Answer = Callable[["Received"], Awaitable[web.StreamResponse] | web.StreamResponse]


@dataclass(frozen=True)
class Received:
    """One request, as it came; `number` counts them from 1."""

    number: int
    headers: dict[str, str]
    body: bytes

    @property
    def id(self) -> str:
        return self.headers["webhook-id"]

    @property
    def event(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.body)
        return found

    @property
    def type(self) -> str:
        return str(self.event["type"])


def accepting(_: Received) -> web.Response:
    return web.Response(status=204)


def answering(*statuses: int, headers: dict[str, str] | None = None) -> Answer:
    """These one after the other, and the last one for ever."""

    def answer(received: Received) -> web.Response:
        return web.Response(status=statuses[min(received.number, len(statuses)) - 1], headers=headers)

    return answer


@dataclass
class Receiver:
    """`received` has every request that was read to its end."""

    url: str = ""
    answer: Answer = accepting
    received: list[Received] = field(default_factory=list)
    _more: asyncio.Condition = field(default_factory=asyncio.Condition)

    async def handle(self, request: web.Request) -> web.StreamResponse:
        headers = {name.lower(): value for name, value in request.headers.items()}
        received = Received(len(self.received) + 1, headers, await request.read())
        async with self._more:
            self.received.append(received)
            self._more.notify_all()
        answer = self.answer(received)
        return answer if isinstance(answer, web.StreamResponse) else await answer

    async def until(self, enough: Callable[[list[Received]], bool]) -> list[Received]:
        async with asyncio.timeout(PATIENCE_S), self._more:
            await self._more.wait_for(lambda: enough(self.received))
        return list(self.received)

    async def until_so_many(self, count: int) -> list[Received]:
        return await self.until(lambda received: len(received) >= count)

    async def until_all(self, ids: set[str]) -> list[Received]:
        return await self.until(lambda received: ids <= {one.id for one in received})


@asynccontextmanager
async def receiving(answer: Answer = accepting, ssl_context: Any = None) -> AsyncGenerator[Receiver]:
    receiver = Receiver(answer=answer)
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", receiver.handle)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=ssl_context)
    await site.start()
    port = runner.addresses[0][1]
    receiver.url = f"{'https' if ssl_context else 'http'}://127.0.0.1:{port}/hook"
    try:
        yield receiver
    finally:
        await runner.cleanup()
