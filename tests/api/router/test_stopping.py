"""An api that stops: answers that are under way have their time, and then an error of their own."""

import asyncio
import json
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial

from services.api.app import running
from tests.api.router.scene import DONE, WORDS, Scene, a_scene, answering, hangs, streaming
from tests.api.stage import ADMIN_KEY, MODEL, PATIENCE_S, Stage, reached, until

BODY = {"model": MODEL, "messages": []}
NOT_LONG_S = 0.1
STOPPING = {"message": "This server is stopping. Send the request again.", "code": "stopping"}


@asynccontextmanager
async def a_stopping_scene(stage: Stage, shutdown_seconds: float) -> AsyncGenerator[tuple[Scene, AsyncExitStack]]:
    """The second of these, when closed, stops the api."""
    async with AsyncExitStack() as clients, AsyncExitStack() as served:
        api = await served.enter_async_context(running(stage.settings(shutdown_seconds=shutdown_seconds)))
        yield await a_scene(stage, api=await clients.enter_async_context(reached(api, ADMIN_KEY))), served


async def has_been_asked(scene: Scene) -> bool:
    return bool(scene.workers[0].seen)


async def test_a_stream_that_is_not_over_in_time_ends_with_an_error_event(stage: Stage) -> None:
    async with a_stopping_scene(stage, NOT_LONG_S) as (scene, served):
        scene.all_answer(streaming(*WORDS, gate=asyncio.Event()))
        body = {**BODY, "stream": True}
        async with scene.api.client.stream("POST", "/v1/chat/completions", json=body) as stream:
            parts = stream.aiter_raw()
            assert await anext(parts) == WORDS[0]
            await served.aclose()
            rest = b"".join([part async for part in parts])
    error = json.loads(rest.removeprefix(b"data: "))["error"]
    assert {name: error[name] for name in STOPPING} == STOPPING


async def test_an_answer_that_has_not_begun_in_time_is_an_error(stage: Stage) -> None:
    async with a_stopping_scene(stage, NOT_LONG_S) as (scene, served):
        scene.all_answer(hangs)
        asking = asyncio.create_task(scene.api.client.post("/v1/chat/completions", json=BODY))
        await until(partial(has_been_asked, scene))
        await served.aclose()
        answer = await asking
    assert answer.status_code == 503
    assert answer.headers["Retry-After"]
    assert answer.json()["error"]["code"] == "stopping"


async def test_a_stream_that_is_over_in_time_is_whole(stage: Stage) -> None:
    gate = asyncio.Event()
    async with a_stopping_scene(stage, PATIENCE_S) as (scene, served):
        scene.all_answer(streaming(*WORDS, DONE, gate=gate))
        body = {**BODY, "stream": True}
        async with scene.api.client.stream("POST", "/v1/chat/completions", json=body) as stream:
            parts = stream.aiter_raw()
            assert await anext(parts) == WORDS[0]
            closing = asyncio.create_task(served.aclose())
            gate.set()
            assert b"".join([part async for part in parts]) == b"".join((*WORDS[1:], DONE))
            await closing


async def test_a_request_that_waits_for_an_instance_waits_no_longer(stage: Stage) -> None:
    async with a_stopping_scene(stage, NOT_LONG_S) as (scene, served):
        scene.all_answer(answering(503))
        asking = asyncio.create_task(
            scene.api.client.post("/v1/chat/completions", json=BODY, headers={"X-Wait-For-Ready": "60"})
        )
        await until(partial(has_been_asked, scene))
        await served.aclose()
        assert (await asking).status_code == 503
