"""The unmodified client of OpenAI, against the router."""

import asyncio
from collections.abc import Callable
from functools import partial
from typing import Any

import openai
import pytest
from aiohttp import web
from openai import AsyncOpenAI, OpenAI

from shared.deployments import decide
from tests.api.router.scene import a_scene, answering, streaming
from tests.api.router.sleeping import asleep, listening
from tests.api.router.test_inference import catalogued
from tests.api.router.test_tally import named
from tests.api.stage import EMBEDDING_MODEL, MODEL, PATIENCE_S, RunningApi, Stage, until


def client_of(api: RunningApi, key: str) -> AsyncOpenAI:
    return AsyncOpenAI(base_url=f"{api.url}/v1", api_key=key, max_retries=0)


async def test_chat_stream_completions_embeddings_and_models_work(stage: Stage) -> None:
    api, worker, embedder = await stage.api(), await stage.worker(), await stage.worker()
    await catalogued(api)
    await catalogued(api, EMBEDDING_MODEL)
    await stage.ready(worker.address)
    await stage.ready(embedder.address, model=EMBEDDING_MODEL, task="embed")
    await api.routes()
    async with client_of(api, await api.user_key()) as client:
        chat = await client.chat.completions.create(model=MODEL, messages=[{"role": "user", "content": "hello"}])
        assert chat.choices[0].message.content == "Paris."

        stream = await client.chat.completions.create(
            model=MODEL, messages=[{"role": "user", "content": "hello"}], stream=True
        )
        assert "".join([chunk.choices[0].delta.content or "" async for chunk in stream]) == "Paris."

        assert (await client.completions.create(model=MODEL, prompt="The capital is")).choices[0].text == " Paris"

        async def embeds() -> bool:
            try:
                made = await client.embeddings.create(model=EMBEDDING_MODEL, input="hello", encoding_format="float")
            except openai.InternalServerError:
                return False
            return made.data[0].embedding == [0.25, -0.5]

        await until(embeds)
        assert {model.id async for model in client.models.list()} == {MODEL, EMBEDDING_MODEL}
        assert (await client.models.retrieve(MODEL)).owned_by == "Qwen"


async def test_a_stream_of_a_sleeping_deployment_is_held_and_answered_by_its_woken_replica(stage: Stage) -> None:
    api, worker = await stage.api(wait_heartbeat_seconds=0.02), await stage.worker()
    sleeping = await asleep(stage, api)
    async with listening(stage) as scaler, client_of(api, await api.user_key()) as client:
        stream = await client.chat.completions.create(
            model=MODEL, messages=[{"role": "user", "content": "hello"}], stream=True
        )
        assert await scaler.woken() == sleeping.id
        await sleeping.scaled_up()
        await sleeping.ready(worker.address)
        assert "".join([chunk.choices[0].delta.content or "" async for chunk in stream]) == "Paris."


async def test_a_wake_that_fails_is_raised_at_once_and_not_tried_again(stage: Stage) -> None:
    api = await stage.api()
    sleeping = await asleep(stage, api)
    await sleeping.intend(decide.pause)
    await sleeping.known(status="paused")
    async with AsyncOpenAI(base_url=f"{api.url}/v1", api_key=await api.user_key(), max_retries=2) as client:
        async with asyncio.timeout(PATIENCE_S):
            with pytest.raises(openai.InternalServerError, match="is paused until somebody resumes it"):
                await client.chat.completions.create(model=MODEL, messages=[])


async def test_its_errors_are_those_that_it_raises_for_openai(stage: Stage) -> None:
    api = await stage.api()
    await catalogued(api)
    async with client_of(api, "wrong") as stranger:
        with pytest.raises(openai.AuthenticationError):
            await stranger.models.list()
    async with client_of(api, await api.user_key()) as client:
        with pytest.raises(openai.NotFoundError) as not_found:
            await client.chat.completions.create(model="nobody/nothing", messages=[])
        assert (not_found.value.code, not_found.value.param) == ("model_not_found", "model")
        with pytest.raises(openai.BadRequestError) as mismatch:
            await client.embeddings.create(model=MODEL, input="x")
        assert mismatch.value.code == "model_task_mismatch"
        with pytest.raises(openai.InternalServerError) as not_ready:
            await client.chat.completions.create(model=MODEL, messages=[])
        assert (not_ready.value.status_code, not_ready.value.code) == (503, "model_not_ready")


def asked_in_turn(url: str, key: str) -> list[object]:
    """With the synchronous client, as a script would."""
    with OpenAI(base_url=f"{url}/v1", api_key=key, max_retries=0) as client:
        chat = client.chat.completions.create(model=MODEL, messages=[{"role": "user", "content": "hello"}])
        stream = client.chat.completions.create(
            model=MODEL, messages=[{"role": "user", "content": "hello"}], stream=True
        )
        words = [chunk.choices[0].delta.content or "" for chunk in stream]
        made = client.embeddings.create(model=EMBEDDING_MODEL, input="hello", encoding_format="float")
        models = {model.id for model in client.models.list()}
        return [chat.choices[0].message.content, "".join(words), made.data[0].embedding, models]


async def test_the_synchronous_client_works_too(stage: Stage) -> None:
    api, worker, embedder = await stage.api(), await stage.worker(), await stage.worker()
    await catalogued(api)
    await catalogued(api, EMBEDDING_MODEL)
    await stage.ready(worker.address)
    await stage.ready(embedder.address, model=EMBEDDING_MODEL, task="embed")
    await api.routes()
    await api.routes(EMBEDDING_MODEL, "/v1/embeddings", input="hello")
    answers = await asyncio.to_thread(asked_in_turn, api.url, await api.user_key())
    assert answers == ["Paris.", "Paris.", [0.25, -0.5], {MODEL, EMBEDDING_MODEL}]


def refused_in_turn(url: str, key: str, elsewhere: str) -> list[tuple[type[Exception], str | None]]:
    """What the synchronous client raises for a request that is refused."""

    def chat(key: str, model: str) -> None:
        with OpenAI(base_url=f"{url}/v1", api_key=key, max_retries=0) as client:
            client.chat.completions.create(model=model, messages=[])

    def embed() -> None:
        with OpenAI(base_url=f"{url}/v1", api_key=key, max_retries=0) as client:
            client.embeddings.create(model=MODEL, input="x")

    raised: list[tuple[type[Exception], str | None]] = []
    asking: list[Callable[[], None]] = [
        partial(chat, "wrong", MODEL),
        partial(chat, key, "nobody/nothing"),
        embed,
        partial(chat, elsewhere, MODEL),
        partial(chat, key, MODEL),
    ]
    for ask in asking:
        try:
            ask()
        except openai.APIStatusError as error:
            raised.append((type(error), error.code))
    return raised


async def test_the_synchronous_client_raises_the_same_errors(stage: Stage) -> None:
    api = await stage.api()
    await catalogued(api)
    keys = await api.user_key(), await api.user_key(allowed_models=["a/b"])
    assert await asyncio.to_thread(refused_in_turn, api.url, *keys) == [
        (openai.AuthenticationError, "invalid_api_key"),
        (openai.NotFoundError, "model_not_found"),
        (openai.BadRequestError, "model_task_mismatch"),
        (openai.PermissionDeniedError, "model_not_allowed"),
        (openai.InternalServerError, "model_not_ready"),
    ]


async def test_its_own_retries_wait_for_as_long_as_we_say(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """A worker's 503 says after how many seconds a retry is worthwhile."""
    api, worker = await stage.api(), await stage.worker()
    await catalogued(api)
    await stage.ready(worker.address)
    await api.routes()
    well, waited = worker.answer, list[float]()

    async def overloaded(_: web.Request) -> web.Response:
        worker.answer = well
        return web.json_response({"error": {"message": "overloaded"}}, status=503, headers={"Retry-After": "7"})

    async def at_once(seconds: float) -> None:
        waited.append(seconds)

    worker.answer = overloaded
    async with AsyncOpenAI(base_url=f"{api.url}/v1", api_key=await api.user_key()) as client:
        assert client.max_retries > 0
        monkeypatch.setattr("openai._base_client.anyio.sleep", at_once)
        chat = await client.chat.completions.create(model=MODEL, messages=[])
    assert chat.choices[0].message.content == "Paris."
    assert waited == [7.0]


async def test_a_key_s_limits_raise_what_openai_s_raise(stage: Stage) -> None:
    api, worker = await stage.api(), await stage.worker()
    await catalogued(api)
    await stage.ready(worker.address)
    await api.routes()
    limits = {"name": "x", "requests_per_minute": 1}
    limited = (await api.client.post("/api-keys", json=limits)).json()["key"]
    elsewhere = (await api.client.post("/api-keys", json={"name": "y", "allowed_models": ["a/b"]})).json()["key"]
    async with client_of(api, limited) as client:
        await client.chat.completions.create(model=MODEL, messages=[])
        with pytest.raises(openai.RateLimitError) as limit:
            await client.chat.completions.create(model=MODEL, messages=[])
        assert (limit.value.code, limit.value.response.headers["retry-after"]) == ("rate_limit_exceeded", "60")
    async with client_of(api, elsewhere) as client:
        with pytest.raises(openai.PermissionDeniedError):
            await client.chat.completions.create(model=MODEL, messages=[])


RESPONSE: dict[str, Any] = {
    "id": "resp_1", "object": "response", "created_at": 1_700_000_000, "model": MODEL, "status": "completed",
    "output": [
        {
            "id": "msg_1", "type": "message", "role": "assistant", "status": "completed",
            "content": [{"type": "output_text", "text": "Paris.", "annotations": []}],
        }
    ],
    "parallel_tool_calls": True, "tool_choice": "auto", "tools": [],
    "usage": {"input_tokens": 11, "output_tokens": 4, "total_tokens": 15},
}  # fmt: skip
BEGINNING = named("response.created", sequence_number=0, response=RESPONSE | {"output": [], "usage": None})
END = named("response.completed", sequence_number=1, response=RESPONSE)


async def test_responses_work_at_once_and_as_a_stream_and_a_broken_one_is_an_error(stage: Stage) -> None:
    scene = await a_scene(stage, breaker_failures=1_000)
    async with client_of(scene.api, await scene.api.user_key()) as client:
        scene.all_answer(answering(200, RESPONSE))
        whole = await client.responses.create(model=MODEL, input="hello")
        assert (whole.output_text, whole.usage and whole.usage.output_tokens) == ("Paris.", 4)
        scene.all_answer(streaming(BEGINNING, END))
        stream = await client.responses.create(model=MODEL, input="hello", stream=True)
        assert [event.type async for event in stream] == ["response.created", "response.completed"]
        scene.all_answer(streaming(BEGINNING, breaks=True))
        stream = await client.responses.create(model=MODEL, input="hello", stream=True)
        with pytest.raises(openai.APIError, match="broke off") as broken:
            [event async for event in stream]
        assert broken.value.code == "worker_failed"


async def test_a_base_url_without_v1_is_told_the_right_one(stage: Stage) -> None:
    api = await stage.api()
    async with AsyncOpenAI(base_url=api.url, api_key=await api.user_key(), max_retries=0) as client:
        with pytest.raises(openai.NotFoundError, match=f"base URL of your client should be {api.url}/v1") as wrong:
            await client.chat.completions.create(model=MODEL, messages=[])
        assert wrong.value.code == "unknown_url"
