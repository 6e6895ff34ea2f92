"""Every path that workers answer is routed as chat is: by model and key, held, counted, with errors in its shape."""

import asyncio
import json
from functools import partial
from typing import Any

import httpx
import pytest
from aiohttp import web

from services.api.router.endpoints import ENDPOINTS
from tests.api.fakes import FakeWorker
from tests.api.router.scene import Scene, a_scene, answering, streaming
from tests.api.router.test_inference import catalogued
from tests.api.router.test_metering import a_key, summed
from tests.api.router.test_tally import BEGINNING, RESPONSE, STOP, TEXT, named
from tests.api.router.test_waiting import becomes_ready, on_its_way, waiting
from tests.api.stage import EMBEDDING_MODEL, MODEL, Stage, until
from tests.lifecycle import facts

RESPONSES, MESSAGES, COUNT = "/v1/responses", "/v1/messages", "/v1/messages/count_tokens"
ANSWERS: dict[str, dict[str, Any]] = {
    RESPONSES: {"object": "response", "output": [], "usage": {"input_tokens": 11, "output_tokens": 4}},
    MESSAGES: {"type": "message", "content": [], "usage": {"input_tokens": 11, "output_tokens": 4}},
    COUNT: {"input_tokens": 11},
    "/v1/rerank": {"results": [], "usage": {"prompt_tokens": 4, "total_tokens": 4}},
    "/v1/score": {"data": [], "usage": {"prompt_tokens": 4, "total_tokens": 4}},
    "/tokenize": {"count": 2, "max_model_len": 2048, "tokens": [74, 75]},
    "/detokenize": {"prompt": "hi"},
}
TOKENS = {
    RESPONSES: (11, 4), MESSAGES: (11, 4), COUNT: (0, 0), "/v1/rerank": (4, 0), "/v1/score": (4, 0),
    "/tokenize": (0, 0), "/detokenize": (0, 0),
}  # fmt: skip


async def answers(request: web.Request) -> web.Response:
    return web.json_response(ANSWERS.get(request.path, {}))


def model_for(path: str) -> str:
    return MODEL if "generate" in ENDPOINTS[path].tasks else EMBEDDING_MODEL


async def serving_both(stage: Stage) -> tuple[Scene, FakeWorker]:
    """One worker that generates, another that embeds."""
    scene, embedder = await a_scene(stage, usage_write_seconds=0.02), await stage.worker()
    await catalogued(scene.api, EMBEDDING_MODEL)
    await stage.ready(embedder.address, model=EMBEDDING_MODEL, task="embed")
    await scene.api.routes(EMBEDDING_MODEL, "/v1/embeddings", input="hello")
    embedder.seen.clear()
    embedder.answer = scene.workers[0].answer = answers
    return scene, embedder


async def test_each_is_passed_to_a_worker_of_its_task_and_its_tokens_count(stage: Stage) -> None:
    scene, embedder = await serving_both(stage)
    for path, answer in ANSWERS.items():
        model = model_for(path)
        uuid = await catalogued(scene.api, model)
        key = await a_key(scene.api, tokens_per_minute=20)  # one comes back after three seconds
        async with scene.api.as_(key["key"]) as user:
            body = b'{"stream_options": null, "model" :"%s", "odd": [1.50]}'
            headers = {"Content-Type": "application/json"}
            passed = await user.post(path, content=body % uuid.encode(), headers=headers)
            again = await user.post(path, content=body % uuid.encode(), headers=headers)
        assert (passed.status_code, passed.json()) == (200, answer), path
        assert passed.headers["x-coldstart-model"] == model
        seen = (scene.workers[0] if model == MODEL else embedder).seen[-1]
        assert (seen.path, seen.body) == (path, body % model.encode())
        assert again.headers["x-ratelimit-remaining-tokens"] == str(20 - sum(TOKENS[path]))
    used = {item["model"]: item for item in await summed(scene.api, 2 * len(ANSWERS) + 1, "model")}
    expected = [sum(2 * TOKENS[path][part] for path in ANSWERS if model_for(path) == MODEL) for part in (0, 1)]
    assert [used[MODEL]["prompt_tokens"], used[MODEL]["completion_tokens"]] == expected
    assert used[MODEL]["requests_untold"] == used[EMBEDDING_MODEL]["requests_untold"] == 0


async def test_a_path_that_the_worker_s_version_does_not_have_is_said_in_the_client_s_format(stage: Stage) -> None:
    async def unknown(_: web.Request) -> web.Response:
        return web.json_response({"detail": "Not Found"}, status=404, dumps=partial(json.dumps, separators=(",", ":")))

    scene, _ = await serving_both(stage)
    scene.workers[0].answer = unknown
    counted, chat = [await scene.api.client.post(path, json={"model": MODEL}) for path in (COUNT, "/v1/responses")]
    assert counted.status_code == chat.status_code == 404
    assert counted.json()["type"] == "error"
    assert counted.json()["error"]["message"].startswith(
        "The version of vLLM that serves this model does not have /v1/"
    )
    assert chat.json()["error"]["code"] == "path_not_served"


async def test_a_model_of_another_task_is_refused_with_the_paths_that_take_it(stage: Stage) -> None:
    api = await stage.api()
    await catalogued(api)
    await catalogued(api, EMBEDDING_MODEL)
    for path, endpoint in ENDPOINTS.items():
        for model, task in ((MODEL, "generate"), (EMBEDDING_MODEL, "embed")):
            answer = await api.client.post(path, json={"model": model})
            error = answer.json()["error"]
            if task in endpoint.tasks:
                assert (answer.status_code, error["code"]) == (503, "model_not_ready"), path
            else:
                assert (answer.status_code, error["code"]) == (400, "model_task_mismatch"), path
                assert "/v1/" in error["message"]
                assert path not in error["message"].split(": ")[1].rstrip(".").split(", ")


@pytest.mark.parametrize("path", [MESSAGES, COUNT])
async def test_anthropic_s_clients_may_send_their_key_in_their_header_and_get_errors_in_their_shape(
    stage: Stage, path: str
) -> None:
    api = await stage.api(max_inference_body_bytes=10_000)
    await catalogued(api)
    key, body = await api.user_key(), json.dumps({"model": MODEL}).encode()
    wrong, both = "Bearer wrong", {"x-api-key": key, "Authorization": f"Bearer {key}"}
    async with api.stranger() as client:
        for headers, content, status, kind, code in (
            ({}, body, 401, "authentication_error", "invalid_api_key"),
            ({"x-api-key": "wrong"}, body, 401, "authentication_error", "invalid_api_key"),
            ({"x-api-key": key, "Authorization": wrong}, body, 401, "authentication_error", "invalid_api_key"),
            ({"x-api-key": key}, b'{"model": "nobody/nothing"}', 404, "not_found_error", "model_not_found"),
            ({"x-api-key": key}, b" " * 10_001, 413, "request_too_large", "body_too_large"),
            ({"x-api-key": key}, body, 503, "overloaded_error", "model_not_ready"),
            (both, body, 503, "overloaded_error", "model_not_ready"),
        ):
            answer = await client.post(path, content=content, headers={"Content-Type": "application/json", **headers})
            document = answer.json()
            assert (answer.status_code, document["type"]) == (status, "error"), answer.text
            assert (document["error"]["type"], document["error"]["code"]) == (kind, code)
        elsewhere = await client.post("/v1/chat/completions", json={"model": MODEL}, headers={"x-api-key": key})
        assert elsewhere.status_code == 401, "the header is Anthropic's alone"
        twice = await client.post(path, json={"model": MODEL}, headers=[("x-api-key", key), ("x-api-key", "wrong")])
        assert (twice.status_code, twice.json()["error"]["code"]) == (400, "header_repeated")


STREAMS = {RESPONSES: RESPONSE, MESSAGES: BEGINNING + TEXT + named("message_delta", usage={"output_tokens": 4}) + STOP}
BEGUN = {RESPONSES: named("response.created", response={}), MESSAGES: BEGINNING}


async def test_streams_pass_as_they_are_and_their_own_reports_count(stage: Stage) -> None:
    scene = await a_scene(stage, usage_write_seconds=0.02)
    body: dict[str, Any] = {"model": MODEL, "stream": True}
    for path, stream in STREAMS.items():
        scene.all_answer(streaming(stream[:100], stream[100:]))
        answer = await scene.api.client.post(path, json=body)
        assert (answer.status_code, answer.content) == (200, stream)
        assert json.loads(scene.workers[0].seen[-1].body) == body, "neither API has stream_options for usage"
    used = await summed(scene.api, 2)
    assert (used[0]["prompt_tokens"], used[0]["completion_tokens"], used[0]["requests_untold"]) == (22, 8, 0)


async def test_a_stream_that_breaks_ends_with_an_error_event_in_its_own_shape(stage: Stage) -> None:
    scene = await a_scene(stage, breaker_failures=1_000)
    for path, number in ((RESPONSES, 1), (MESSAGES, None)):
        for begun in (BEGUN[path], BEGUN[path] + b"event: x"):
            scene.all_answer(streaming(begun, breaks=True))
            answer = await scene.api.client.post(path, json={"model": MODEL, "stream": True})
            *_, last, nothing = answer.text.split("\n\n")
            name, data = last.split("\n")
            told = json.loads(data.removeprefix("data: "))
            assert (name, nothing, told["type"]) == ("event: error", "", "error")
            assert told["error"]["code"] == "worker_failed"
            assert told.get("sequence_number") == number


@pytest.mark.parametrize("path", [RESPONSES, MESSAGES])
async def test_a_held_stream_is_served_when_its_instance_is_ready_or_told_why_not(stage: Stage, path: str) -> None:
    api, worker = await stage.api(), await stage.worker()
    worker.answer = streaming(STREAMS[path])
    scene = await on_its_way(stage, api, worker.address)
    body = {"model": MODEL, "stream": True}

    def asking(seconds: str) -> asyncio.Task[httpx.Response]:
        return asyncio.create_task(api.client.post(path, json=body, headers={"X-Wait-For-Ready": seconds}))

    over = (await asking("0.05")).text.rstrip().split("\n")
    assert over[0].startswith(": booting")
    assert over[-2] == "event: error"
    assert json.loads(over[-1].removeprefix("data: "))["error"]["code"] == "model_not_ready"
    held = asking("60")
    await waiting(api, 1)
    await becomes_ready(stage, scene)
    assert (await held).content.endswith(STREAMS[path])
    worker.answer = answering(400, {"error": {"message": "too long"}})
    assert (await api.client.post(path, json=body)).json() == {"error": {"message": "too long"}}


async def test_a_path_that_does_not_stream_is_never_held_as_a_stream(stage: Stage) -> None:
    api = await stage.api()
    await on_its_way(stage, api, "127.0.0.9")
    headers = {"X-Wait-For-Ready": "0.05"}
    answer = await api.client.post("/tokenize", json={"model": MODEL, "stream": True}, headers=headers)
    assert (answer.status_code, answer.json()["error"]["code"]) == (503, "model_not_ready")


async def test_a_near_miss_is_told_the_right_url_in_the_shape_of_its_api(stage: Stage) -> None:
    """Whatever its body: it may be as large as one for the right URL."""
    api = await stage.api(max_body_bytes=1_000, max_inference_body_bytes=10_000)
    for path, right in (
        ("//v1/chat/completions", "/v1/chat/completions"),
        ("/chat/completions", "/v1/chat/completions"),
        ("/v1/chat/completions/", "/v1/chat/completions"),
        ("/v1/models/", "/v1/models"),
        ("/v1/v1/messages", "/v1/messages"),
        ("/tokenize/", "/tokenize"),
    ):
        refused = (await api.client.post(f"{api.url}{path}", content=b" " * 10_001)).json()
        assert refused["error"]["code"] == "body_too_large", path
        answer = await api.client.post(f"{api.url}{path}", content=b" " * 10_000)
        document = answer.json()
        assert (answer.status_code, document["error"]["code"]) == (404, "unknown_url"), path
        assert refused.get("type") == document.get("type")
        assert f"{api.url}{right}." in document["error"]["message"]
        assert document.get("type") == ("error" if "messages" in path else None)


async def test_a_model_shows_its_longest_context_once_a_worker_has_told_it(stage: Stage) -> None:
    api = await stage.api()
    await catalogued(api)

    async def shown() -> list[dict[str, Any]]:
        (listed,) = (await api.client.get("/v1/models")).json()["data"]
        return [listed, (await api.client.get(f"/v1/models/{MODEL}")).json()]

    assert all("max_model_len" not in model for model in await shown())
    ready = await stage.ready("127.0.0.9")
    await stage.happened(facts.model_loaded(max_model_len=2_048), instance_id=ready.id)

    async def told() -> bool:
        return [model.get("max_model_len") for model in await shown()] == [2_048, 2_048]

    await until(told)
