"""An api that routes to workers that the test controls, and what these can do."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from aiohttp import web

from shared.lifecycle.instance import Instance
from tests.api.fakes import FakeWorker
from tests.api.router.test_inference import catalogued
from tests.api.stage import MODEL, PATIENCE_S, RunningApi, Stage, until

Answer = Callable[[web.Request], Awaitable[web.StreamResponse]]


@dataclass
class Scene:
    """The n-th of `workers` serves the n-th of `instances`."""

    api: RunningApi
    instances: list[Instance]
    workers: list[FakeWorker]

    def all_answer(self, answer: Answer) -> None:
        for worker in self.workers:
            worker.answer = answer
            worker.seen.clear()

    @property
    def asked(self) -> list[int]:
        """How many requests each had, not counting questions about its health."""
        return [sum(seen.path != "/health" for seen in worker.seen) for worker in self.workers]

    async def explained(self, model: str = MODEL) -> dict[str, Any]:
        answer = await self.api.client.get("/models/resolve", params={"model": model})
        assert answer.status_code == 200, answer.text
        return dict(answer.json())

    async def eligible(self, count: int) -> None:
        """Wait until this many workers are."""

        async def known() -> bool:
            eligible = [one for one in (await self.explained())["instances"] if one["eligible"]]
            return len(eligible) == count

        await until(known)

    async def in_flight(self) -> int:
        return sum(one["in_flight"] for one in (await self.explained())["instances"])


async def a_scene(stage: Stage, workers: int = 1, *, api: RunningApi | None = None, **settings: Any) -> Scene:
    api = api or await stage.api(**settings)
    await catalogued(api)
    served = [await stage.worker() for _ in range(workers)]
    instances = [await stage.ready(worker.address) for worker in served]
    scene = Scene(api, instances, served)
    await scene.eligible(workers)
    return scene


def answering(status: int, body: dict[str, Any] | None = None) -> Answer:
    async def answer(_: web.Request) -> web.Response:
        return web.json_response(body or {"status": status}, status=status)

    return answer


async def hangs(_: web.Request) -> web.Response:
    await asyncio.sleep(PATIENCE_S)
    return web.Response()


async def drops(request: web.Request) -> web.Response:
    assert request.transport is not None
    request.transport.abort()
    return web.Response()


def streaming(*chunks: bytes, breaks: bool = False, gate: asyncio.Event | None = None) -> Answer:
    """Sends these chunks unchanged, then cuts the connection if it `breaks`. All but the first wait for the `gate`."""

    async def answer(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        for at, chunk in enumerate(chunks):
            if at and gate is not None:
                await gate.wait()
            await response.write(chunk)
        if breaks:
            assert request.transport is not None
            request.transport.abort()
        return response

    return answer


def event(**fields: Any) -> bytes:
    return b"data: " + json.dumps(fields).encode() + b"\n\n"


WORDS = tuple(event(id="x", choices=[{"index": 0, "delta": {"content": word}}]) for word in ("Pa", "ris", "."))
USAGE = event(id="x", choices=[], usage={"prompt_tokens": 11, "completion_tokens": 3, "total_tokens": 14})
DONE = b"data: [DONE]\n\n"
