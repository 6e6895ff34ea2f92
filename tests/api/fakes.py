"""Fakes around the api: workers that the test controls, and a hub that can fall silent."""

import asyncio
import secrets
import socket
from base64 import b64encode
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from struct import pack
from typing import Any

from aiohttp import web
from pydantic import SecretStr

from simulator.hub import Hub

HUB_TOKEN = "hf_simulated"
Answer = Callable[[web.Request], Awaitable[web.StreamResponse]]


@dataclass
class Seen:
    path: str
    headers: dict[str, str]
    body: bytes


def loopback_address() -> str:
    """One of the sixteen million that this machine has: every worker listens on the same port."""
    return ".".join(["127", *(str(2 + secrets.randbelow(250)) for _ in range(3))])


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("0.0.0.0", 0))  # noqa: S104  a moment later it is bound on loopback addresses only
        return int(probe.getsockname()[1])


async def _in_openai_s_words(request: web.Request) -> web.StreamResponse:
    if request.path == "/health":
        return web.Response()
    body = await request.json()
    if request.path == "/v1/embeddings":
        coded = b64encode(
            pack("<2f", *_EMBEDDING)
        ).decode()  # what OpenAI's client for Node asks for unless told otherwise
        embedding = coded if body.get("encoding_format") == "base64" else _EMBEDDING
        data = [{"object": "embedding", "index": 0, "embedding": embedding}]
        return web.json_response({"object": "list", "data": data, "model": body["model"], "usage": _USAGE})
    if request.path == "/v1/completions":
        choice: dict[str, Any] = {"index": 0, "text": " Paris", "finish_reason": "stop", "logprobs": None}
        return web.json_response({**_head(body, "text_completion"), "choices": [choice], "usage": _USAGE})
    if not body.get("stream"):
        message = {"role": "assistant", "content": "Paris."}
        choice = {"index": 0, "message": message, "finish_reason": "stop", "logprobs": None}
        return web.json_response({**_head(body, "chat.completion"), "choices": [choice], "usage": _USAGE})
    response = web.StreamResponse(headers={"Content-Type": "text/event-stream; charset=utf-8"})
    await response.prepare(request)
    for word in ("Pa", "ris", "."):
        choice = {"index": 0, "delta": {"role": "assistant", "content": word}, "finish_reason": None}
        chunk = web.json_response({**_head(body, "chat.completion.chunk"), "choices": [choice]}).text
        await response.write(f"data: {chunk}\n\n".encode())
    await response.write(b"data: [DONE]\n\n")
    return response


_EMBEDDING = [0.25, -0.5]
_USAGE = {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5}


def _head(body: dict[str, Any], kind: str) -> dict[str, Any]:
    return {"id": "x-1", "object": kind, "created": 1_700_000_000, "model": body["model"]}


@dataclass
class FakeWorker:
    """`answer` can be replaced at any time. `seen` holds every request."""

    address: str
    port: int
    answer: Answer = _in_openai_s_words
    seen: list[Seen] = field(default_factory=list)
    left: asyncio.Event = field(default_factory=asyncio.Event)
    _lines: set[asyncio.BaseTransport] = field(default_factory=set)

    def hang_up(self) -> None:
        """Close every open connection."""
        for line in self._lines:
            line.close()
        self._lines.clear()

    async def handle(self, request: web.Request) -> web.StreamResponse:
        if request.transport is not None:
            self._lines.add(request.transport)
        body = await request.read()
        headers = {name.lower(): value for name, value in request.headers.items()}
        self.seen.append(Seen(request.path, headers, body))
        try:
            return await self.answer(request)
        except (asyncio.CancelledError, ConnectionError):
            self.left.set()
            raise


@asynccontextmanager
async def a_worker(port: int, address: str | None = None) -> AsyncGenerator[FakeWorker]:
    worker = FakeWorker(address or loopback_address(), port)
    app = web.Application(client_max_size=100_000_000)
    app.router.add_route("*", "/{path:.*}", worker.handle)
    async with served(app, worker.address, port):
        yield worker


@dataclass
class FakeHub:
    """`broken`: the status it answers everything with, and `headers`; `silent`: it does not answer before it is `over`.

    `renamed`: former ids of models and their present ones; the hub answers for both, in the present spelling.
    """

    url: str = ""
    asked: int = 0
    broken: int | None = None
    headers: dict[str, str] = field(default_factory=dict)
    silent: bool = False
    over: asyncio.Event = field(default_factory=asyncio.Event)
    renamed: dict[str, str] = field(default_factory=dict)


@asynccontextmanager
async def a_hub() -> AsyncGenerator[FakeHub]:
    hub = FakeHub()

    @web.middleware
    async def faults(request: web.Request, handler: Answer) -> web.StreamResponse:
        hub.asked += 1
        if hub.silent:
            await hub.over.wait()
        if hub.broken:
            return web.Response(status=hub.broken, headers=hub.headers)
        former = "/".join(request.match_info.get(part, "") for part in ("namespace", "name"))
        if former in hub.renamed:
            request.match_info["namespace"], _, request.match_info["name"] = hub.renamed[former].partition("/")
        return await handler(request)

    app = web.Application(middlewares=[faults])
    app.add_routes(Hub(SecretStr(HUB_TOKEN)).routes())
    async with served(app, "127.0.0.1", 0) as port:
        hub.url = f"http://127.0.0.1:{port}/hub"
        try:
            yield hub
        finally:
            hub.over.set()


@asynccontextmanager
async def served(app: web.Application, host: str, port: int) -> AsyncGenerator[int]:
    runner = web.AppRunner(app, handler_cancellation=True, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, host, port)
    await site.start()
    try:
        yield runner.addresses[0][1]
    finally:
        await runner.cleanup()
