"""The unmodified client of Anthropic, against the router."""

import asyncio
import json
from typing import Any

import anthropic
import pytest
from aiohttp import web
from anthropic import AsyncAnthropic

from tests.api.router.scene import Scene, a_scene, streaming
from tests.api.router.test_inference import catalogued
from tests.api.router.test_tally import named
from tests.api.router.test_waiting import becomes_ready, on_its_way, waiting
from tests.api.stage import EMBEDDING_MODEL, MODEL, Stage
from tests.lifecycle import facts

ASKED: dict[str, Any] = {"model": MODEL, "max_tokens": 16, "messages": [{"role": "user", "content": "hello"}]}
MESSAGE: dict[str, Any] = {
    "id": "chatcmpl-1", "type": "message", "role": "assistant", "model": MODEL,
    "content": [{"type": "text", "text": "Paris."}], "stop_reason": "end_turn",
    "usage": {"input_tokens": 11, "output_tokens": 4},
}  # fmt: skip
BEGINNING = named("message_start", message=MESSAGE | {"content": [], "stop_reason": None})
WORDS = named("content_block_start", index=0, content_block={"type": "text", "text": ""}) + b"".join(
    named("content_block_delta", index=0, delta={"type": "text_delta", "text": word}) for word in ("Pa", "ris", ".")
)
END = (
    named("content_block_stop", index=0)
    + named("message_delta", delta={"stop_reason": "end_turn"}, usage={"input_tokens": 11, "output_tokens": 4})
    + named("message_stop")
    + b"data: [DONE]\n\n"  # vLLM sends it, too
)


async def as_vllm(request: web.Request) -> web.StreamResponse:
    body = await request.json()
    if request.path.endswith("/count_tokens"):
        return web.json_response({"input_tokens": 11})
    if body.get("stream"):
        return await streaming(BEGINNING, WORDS, END)(request)
    return web.json_response(MESSAGE)


def client_of(scene: Scene, key: str, base: str = "") -> AsyncAnthropic:
    return AsyncAnthropic(base_url=f"{scene.api.url}{base}", api_key=key, max_retries=0)


async def test_messages_streams_and_counts_work(stage: Stage) -> None:
    scene = await a_scene(stage)
    scene.all_answer(as_vllm)
    async with client_of(scene, await scene.api.user_key()) as client:
        message = await client.messages.create(**ASKED)
        assert [block.text for block in message.content if block.type == "text"] == ["Paris."]
        assert (message.usage.input_tokens, message.usage.output_tokens) == (11, 4)
        async with client.messages.stream(**ASKED) as stream:
            assert "".join([text async for text in stream.text_stream]) == "Paris."
            assert (await stream.get_final_message()).usage.output_tokens == 4
        counted = await client.messages.count_tokens(model=MODEL, messages=ASKED["messages"])
        assert counted.input_tokens == 11
    seen = scene.workers[0].seen
    assert [one.path for one in seen] == ["/v1/messages", "/v1/messages", "/v1/messages/count_tokens"]
    assert json.loads(seen[0].body) == ASKED
    assert not [one for one in seen if "x-api-key" in one.headers], "the client's key is not for the worker"


async def test_its_errors_are_those_that_it_raises_for_anthropic(stage: Stage) -> None:
    scene = await a_scene(stage, breaker_failures=1_000)
    await catalogued(scene.api, EMBEDDING_MODEL)
    async with client_of(scene, "wrong") as stranger:
        with pytest.raises(anthropic.AuthenticationError):
            await stranger.messages.create(**ASKED)
    async with client_of(scene, await scene.api.user_key()) as client:
        with pytest.raises(anthropic.NotFoundError, match="nobody/nothing"):
            await client.messages.create(**ASKED | {"model": "nobody/nothing"})
        with pytest.raises(anthropic.BadRequestError, match="makes embeddings"):
            await client.messages.create(**ASKED | {"model": EMBEDDING_MODEL})
        with pytest.raises(anthropic.PermissionDeniedError):
            async with client_of(scene, await scene.api.user_key(allowed_models=["a/b"])) as limited:
                await limited.messages.create(**ASKED)
        scene.all_answer(streaming(BEGINNING, WORDS, breaks=True))
        words: list[str] = []
        with pytest.raises(anthropic.APIStatusError, match="worker_failed"):
            async with client.messages.stream(**ASKED) as stream:
                words += [text async for text in stream.text_stream]
    async with client_of(scene, await scene.api.user_key(), "/v1") as beside:
        with pytest.raises(anthropic.NotFoundError, match=f"should be {scene.api.url}"):
            await beside.messages.create(**ASKED)


async def test_a_stream_may_wait_for_its_instance(stage: Stage) -> None:
    api, worker = await stage.api(wait_heartbeat_seconds=0.02), await stage.worker()
    worker.answer = as_vllm
    scene = await on_its_way(stage, api, worker.address)
    async with client_of(scene, await api.user_key()) as client:
        held = client.with_options(default_headers={"X-Wait-For-Ready": "60"})

        async def words() -> str:
            async with held.messages.stream(**ASKED) as stream:
                return "".join([text async for text in stream.text_stream])

        waits = asyncio.create_task(words())
        await waiting(api, 1)
        await becomes_ready(stage, scene)
        assert await waits == "Paris."
        await stage.happened(facts.health_lost(), instance_id=scene.instances[0].id)
        await scene.eligible(0)
        brief = client.with_options(default_headers={"X-Wait-For-Ready": "0.05"})
        with pytest.raises(anthropic.APIStatusError, match="model_not_ready"):
            async with brief.messages.stream(**ASKED) as stream:
                await stream.until_done()
