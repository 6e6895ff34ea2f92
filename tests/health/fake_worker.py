"""A machine as health sees it: an SSH port, and a vLLM whose port is closed until it is opened."""

import asyncio
import socket
import ssl
from collections import Counter
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

from aiohttp import web

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
MODEL = "Qwen/Qwen2.5-0.5B-Instruct"


class FakeWorker:
    """Answers as vLLM's OpenAI server does; `instead` replaces the answer of a path."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.api_key = "the key of this attempt"
        self.models = [MODEL]
        self.max_model_len: Any = 2048
        self.running = 0
        self.waiting = 0
        self.served: float | None = 0.0
        self.instead: dict[str, Handler] = {}
        self.asked: Counter[tuple[str, int]] = Counter()
        self.bodies: list[Any] = []
        self._changed = asyncio.Condition()
        self._runner: web.AppRunner | None = None

    async def open(self, tls: ssl.SSLContext | None = None) -> None:
        app = web.Application(middlewares=[self._answer])
        app.router.add_get("/health", self._health)
        app.router.add_get("/metrics", self._metrics)
        app.router.add_get("/version", self._version)
        app.router.add_get("/v1/models", self._models)
        app.router.add_post("/v1/completions", self._completions)
        app.router.add_post("/v1/embeddings", self._embeddings)
        self._runner = web.AppRunner(app, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", self.port, reuse_address=True, ssl_context=tls).start()

    async def close(self) -> None:
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    async def until_asked(self, path: str, times: int, status: int = 200) -> None:
        """Wait for so many more requests for `path` to have got that status."""
        target = self.asked[path, status] + times
        async with asyncio.timeout(120), self._changed:
            await self._changed.wait_for(lambda: self.asked[path, status] >= target)

    @web.middleware
    async def _answer(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        key = request.headers.get("Authorization")
        if request.path.startswith("/v1") and key != f"Bearer {self.api_key}":
            response: web.StreamResponse = web.json_response({"error": "Unauthorized"}, status=401)
        else:
            response = await self.instead.get(request.path, handler)(request)
        self.asked[request.path, response.status] += 1
        async with self._changed:
            self._changed.notify_all()
        return response

    async def _health(self, _: web.Request) -> web.Response:
        return web.Response()

    async def _metrics(self, _: web.Request) -> web.Response:
        labels = f'{{engine="0",model_name="{MODEL}"}}'
        return web.Response(
            text="# HELP vllm:num_requests_running Number of requests in model execution batches.\n"
            "# TYPE vllm:num_requests_running gauge\n"
            f"vllm:num_requests_running{labels} {self.running:.1f}\n"
            "# TYPE vllm:num_requests_waiting gauge\n"
            f"vllm:num_requests_waiting{labels} {self.waiting:.1f}\n"
            f"vllm:num_requests_waiting_by_reason{labels} 7.0\n"
            + ("" if self.served is None else f"vllm:request_success_total{labels} {self.served}\n")
        )

    async def _version(self, _: web.Request) -> web.Response:
        return web.json_response({"version": "0.32.0+cpu"})

    async def _models(self, _: web.Request) -> web.Response:
        return web.json_response({"object": "list", "data": [self._model(model) for model in self.models]})

    def _model(self, model: str) -> dict[str, Any]:
        return {"id": model, "object": "model", "max_model_len": self.max_model_len}

    async def _completions(self, request: web.Request) -> web.Response:
        self.bodies.append(await request.json())
        return web.json_response({"choices": [{"index": 0, "text": ""}]})

    async def _embeddings(self, request: web.Request) -> web.Response:
        self.bodies.append(await request.json())
        return web.json_response({"data": [{"index": 0, "embedding": [0.1, -0.2]}]})


@asynccontextmanager
async def a_machine() -> AsyncGenerator[tuple[int, FakeWorker]]:
    """The port of its SSH, which is open, and its worker, whose port is closed."""
    server = await asyncio.start_server(_say_hello, "127.0.0.1", 0)
    worker = FakeWorker(a_closed_port())
    async with server:
        yield server.sockets[0].getsockname()[1], worker
        await worker.close()


def a_closed_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


async def _say_hello(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"SSH-2.0-OpenSSH_9.6\r\n")
    writer.close()
