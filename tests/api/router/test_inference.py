"""`/v1` returns the worker's answer unchanged, and errors in OpenAI's shape."""

import asyncio
import json
import math
from collections.abc import AsyncGenerator
from typing import Any
from uuid import uuid4

import httpx
import pytest
from aiohttp import web

from services.api.control.openapi.inference import PATHS
from services.api.router.endpoints import ENDPOINTS
from shared.secrets import Secrets
from tests.api.stage import EMBEDDING_MODEL, MASTER_SECRET, MODEL, PATIENCE_S, RunningApi, Stage, until
from tests.lifecycle import facts

JSON = {"Content-Type": "application/json"}


async def catalogued(api: RunningApi, model: str = MODEL) -> str:
    """Its UUID."""
    answer = await api.client.post("/models", json={"model": model})
    assert answer.status_code in {200, 201}, answer.text
    return str(answer.json()["id"])


async def test_a_public_model_with_a_slash_is_served_to_a_user_without_an_organisation(stage: Stage) -> None:
    api, worker = await stage.api(), await stage.worker()
    await catalogued(api)
    instance = await stage.ready(worker.address)
    await api.routes()
    async with api.as_(await api.user_key()) as user:
        answer = await user.post("/v1/chat/completions", json={"model": MODEL, "messages": []})
    assert answer.status_code == 200, answer.text
    seen = worker.seen[-1]
    assert seen.path == "/v1/chat/completions"
    assert seen.headers["authorization"] == f"Bearer {Secrets(MASTER_SECRET).worker_api_key(instance.id, 1)}"


async def test_a_request_goes_out_as_it_came_and_changes_only_where_it_names_a_uuid(stage: Stage) -> None:
    api, worker = await stage.api(), await stage.worker()
    uuid = await catalogued(api)
    await stage.ready(worker.address)
    await api.routes()
    odd = b'{ "model" :"%s",\n"temperature":0.10, "messages":[ ], "x": "\\u00e9\xc3\xa9" }'
    headers = {"Content-Type": "application/json", "X-Request-Id": "r1", "Cookie": "c=1"}
    await api.client.post("/v1/chat/completions", content=odd % MODEL.encode(), headers=headers)
    assert worker.seen[-1].body == odd % MODEL.encode()
    assert worker.seen[-1].headers["x-request-id"] == "r1"
    assert "cookie" not in worker.seen[-1].headers
    await api.client.post("/v1/chat/completions", content=odd % uuid.encode(), headers=headers)
    assert json.loads(worker.seen[-1].body) == json.loads(odd % MODEL.encode())


async def test_images_tool_calls_null_content_and_large_prompts_go_out_byte_for_byte(stage: Stage) -> None:
    most = 4_000_000
    api, worker = await stage.api(max_inference_body_bytes=most), await stage.worker()
    await catalogued(api)
    await stage.ready(worker.address)
    await api.routes()
    image = {"type": "image_url", "image_url": {"url": "data:image/png;base64," + "iVBORw0KGgo=" * 1_000}}
    call = {"id": "c1", "type": "function", "function": {"name": "look", "arguments": '{"at": "caf\u00e9"}'}}
    tool = {"type": "function", "function": {"name": "look", "parameters": {"type": "object"}, "strict": True}}
    messages: list[dict[str, Any]] = [
        {"role": "user", "content": [{"type": "text", "text": "What is this? \u2615\n"}, image]},
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "c1", "content": "a caf\u00e9"},
    ]
    fields = {
        "model": MODEL,
        "messages": messages,
        "tools": [tool],
        "tool_choice": "auto",
        "nobody_knows": {"x": [1.0]},
    }
    small = json.dumps(fields, ensure_ascii=False).encode()
    pad = b"x" * (most - len(small) - len(b'"prompt":"",'))
    for body in (small, json.dumps(fields, indent=1).encode(), b'{"prompt":"%b",' % pad + small[1:]):
        answer = await api.client.post("/v1/chat/completions", content=body, headers=JSON)
        assert answer.status_code == 200, answer.text
        assert worker.seen[-1].body == body
    assert len(body) == most
    worker.seen.clear()
    for content in (body + b" ", in_pieces(body + b" ")):
        refused = await api.client.post("/v1/chat/completions", content=content, headers=JSON)
        assert (refused.status_code, refused.json()["error"]["code"]) == (413, "body_too_large")
    assert worker.seen == []


async def in_pieces(body: bytes) -> AsyncGenerator[bytes]:
    """The body is sent without its length."""
    for at in range(0, len(body), 100_000):
        yield body[at : at + 100_000]


FORGED = {
    "Set-Cookie": "coldstart_session=forged",
    "Clear-Site-Data": '"forged"',
    "Strict-Transport-Security": "max-age=1; forged",
    "Content-Security-Policy": "forged",
    "Refresh": "0; url=http://forged/",
    "Location": "http://forged/",
    "Access-Control-Allow-Origin": "http://forged",
    "X-Coldstart-Rule": "forged",
    "X-Request-Id": "forged",
    "X-RateLimit-Limit-Requests": "forged",
    "Retry-After": "forged",
}


@pytest.mark.parametrize("size", [0, 1, 100_000])
async def test_an_answer_comes_back_byte_for_byte_with_its_status(stage: Stage, size: int) -> None:
    api, worker = await stage.api(), await stage.worker()
    await catalogued(api)
    await stage.ready(worker.address)
    await api.routes()
    body = bytes(byte % 256 for byte in range(size))

    async def answer(_: web.Request) -> web.Response:
        return web.Response(body=body, status=422, headers={"Content-Type": "text/plain", **FORGED})

    worker.answer = answer
    passed = await api.chat()
    assert (passed.status_code, passed.content) == (422, body)
    assert (passed.headers["content-type"], passed.headers["content-length"]) == ("text/plain", str(size))
    assert not [value for value in passed.headers.values() if "forged" in value]


async def test_a_stream_comes_through_chunk_by_chunk_as_it_is_written(stage: Stage) -> None:
    api, worker = await stage.api(), await stage.worker()
    await catalogued(api)
    await stage.ready(worker.address)
    await api.routes()
    go_on = asyncio.Event()
    chunks = [b"data: \xc3", b"\xa9\n\n", b": odd\r\n\r\n", b"data: [DONE]\n\n"]

    async def answer(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        await response.write(chunks[0])
        await go_on.wait()
        for chunk in chunks[1:]:
            await response.write(chunk)
        return response

    worker.answer = answer
    received = b""
    async with api.client.stream(
        "POST", "/v1/chat/completions", json={"model": MODEL, "messages": [], "stream": True}
    ) as stream:
        async for chunk in stream.aiter_raw():
            received += chunk
            go_on.set()  # only now: the first chunk must not have waited for the last
    assert received == b"".join(chunks)


async def test_when_the_client_leaves_the_worker_is_told(stage: Stage) -> None:
    api, worker = await stage.api(), await stage.worker()
    await catalogued(api)
    await stage.ready(worker.address)
    await api.routes()
    asked = asyncio.Event()

    async def answer(_: web.Request) -> web.Response:
        asked.set()
        await asyncio.sleep(PATIENCE_S)
        return web.Response()

    worker.answer = answer
    asking = asyncio.create_task(api.chat())
    async with asyncio.timeout(PATIENCE_S):
        await asked.wait()
        asking.cancel()
        await worker.left.wait()


async def test_a_worker_that_breaks_off_stalls_or_refuses_us_is_an_error_in_openai_s_shape(stage: Stage) -> None:
    api, brief = await stage.api(), await stage.api(worker_silence_seconds=0.3)
    worker = await stage.worker()
    await catalogued(api)
    await stage.ready(worker.address)
    for each in (api, brief):
        await each.routes()

    async def breaks_off(request: web.Request) -> web.StreamResponse:
        assert request.transport is not None
        request.transport.abort()
        return web.Response()

    async def stalls(_: web.Request) -> web.Response:
        await asyncio.sleep(PATIENCE_S)
        return web.Response()

    async def refuses(_: web.Request) -> web.Response:
        return web.json_response({"error": "Unauthorized"}, status=401)

    async def points_elsewhere(_: web.Request) -> web.Response:
        return web.Response(status=307, headers={"Location": "http://127.0.0.1:9/who-reads-this"})

    async def breaks_off_midway(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        await response.write(b"data: 1\n\n")
        assert request.transport is not None
        request.transport.abort()
        return response

    for asked, answer, status, code in (
        (api, breaks_off, 502, "worker_failed"),
        (brief, stalls, 504, "worker_timeout"),
        (api, refuses, 502, "worker_refused"),
        (api, points_elsewhere, 502, "worker_failed"),
    ):
        worker.answer = answer
        failed = await asked.chat()
        assert (failed.status_code, failed.json()["error"]["code"]) == (status, code)
    worker.answer = breaks_off_midway
    lines = (await api.chat(stream=True)).text.split("\n\n")
    assert lines[0] == "data: 1"
    assert json.loads(lines[-2].removeprefix("data: "))["error"]["code"] == "worker_failed"


async def test_a_worker_that_cannot_be_reached_is_passed_over_for_another(stage: Stage) -> None:
    api, worker = await stage.api(), await stage.worker()
    await catalogued(api)
    gone = await stage.ready("127.0.0.9")
    assert (await until_unreachable(api)).headers["retry-after"] == "5"
    await stage.ready(worker.address)
    await api.routes()
    for _ in range(4):
        assert (await api.chat()).status_code == 200
    await stage.happened(facts.termination_requested(), instance_id=gone.id)


async def until_unreachable(api: RunningApi) -> httpx.Response:
    answers: list[httpx.Response] = []

    async def unreachable() -> bool:
        answers.append(await api.chat())
        return (answers[-1].status_code, answers[-1].json()["error"]["code"]) == (503, "worker_unreachable")

    await until(unreachable)
    return answers[-1]


async def test_the_least_busy_worker_is_asked(stage: Stage) -> None:
    api = await stage.api()
    workers = [await stage.worker() for _ in range(3)]
    await catalogued(api)
    waiting, go_on = asyncio.Semaphore(0), asyncio.Event()

    async def answer(_: web.Request) -> web.Response:
        waiting.release()
        await go_on.wait()
        return web.json_response({})

    for worker in workers:
        await stage.ready(worker.address)
        await api.routes()
    await until(lambda: _all_asked(api, workers))
    for worker in workers:
        worker.seen.clear()
        worker.answer = answer
    async with asyncio.timeout(PATIENCE_S), asyncio.TaskGroup() as group:
        for _ in range(6):
            group.create_task(api.chat())
            await waiting.acquire()
        go_on.set()
    assert [len(worker.seen) for worker in workers] == [2, 2, 2]


async def _all_asked(api: RunningApi, workers: list[Any]) -> bool:
    await api.chat()
    return all(worker.seen for worker in workers)


async def test_a_model_that_is_not_ready_says_how_far_it_is(stage: Stage) -> None:
    api = await stage.api()
    await catalogued(api)
    nothing = await api.chat()
    assert (nothing.status_code, nothing.json()["error"]["code"]) == (503, "model_not_ready")
    assert nothing.json()["error"]["status"] is None
    instance = await stage.happened(facts.instance_requested(), facts.instance_created(), facts.instance_started())

    async def told() -> bool:
        answer = await api.chat()
        assert answer.status_code == 503
        error = answer.json()["error"]
        if error["eta"] is not None:
            assert int(answer.headers["retry-after"]) == min(3600, math.ceil(error["eta"]["p50_seconds"]))
        return bool(
            error["eta"]
            and (error["instance_id"], error["status"], error["step"], error["progress_percent"])
            == (str(instance.id), "booting", "InstanceStarted", 30)
            and (error["status_label"], error["tone"], error["where"])
            == ("booting", "progress", "waiting for an address")
        )

    await until(told)


async def test_an_instance_that_is_no_longer_ready_is_no_longer_asked(stage: Stage) -> None:
    api, worker = await stage.api(), await stage.worker()
    await catalogued(api)
    instance = await stage.ready(worker.address)
    await api.routes()
    for event in (facts.health_lost(), facts.termination_requested()):
        await stage.happened(event, instance_id=instance.id)

        async def not_ready() -> bool:
            return (await api.chat()).status_code == 503

        await until(not_ready)


async def test_a_reinstalled_worker_is_asked_with_its_attempt_s_key(stage: Stage) -> None:
    api, worker = await stage.api(), await stage.worker()
    await catalogued(api)
    instance = await stage.ready(worker.address)
    await api.routes()
    await stage.happened(
        facts.reinstall_requested(attempt=2),
        facts.ssh_install_completed(attempt=2),
        facts.instance_ready(attempt=2),
        instance_id=instance.id,
    )
    expected = f"Bearer {Secrets(MASTER_SECRET).worker_api_key(instance.id, 2)}"

    async def asked_with_it() -> bool:
        await api.chat()
        return worker.seen[-1].headers["authorization"] == expected

    await until(asked_with_it)


async def test_every_wrong_request_is_refused_in_openai_s_shape(stage: Stage) -> None:
    api = await stage.api(max_inference_body_bytes=10_000)
    await catalogued(api)
    await catalogued(api, EMBEDDING_MODEL)
    json_type = {"Content-Type": "application/json"}
    chat, embeddings = "/v1/chat/completions", "/v1/embeddings"
    for method, path, content, headers, status, code in (
        ("POST", chat, b"{", json_type, 400, "invalid_json"),
        ("POST", chat, b"", json_type, 400, "invalid_json"),
        ("POST", chat, b"[1]", json_type, 400, "invalid_json"),
        ("POST", chat, b"[" * 5000, json_type, 400, "invalid_json"),
        ("POST", chat, b"{}", json_type, 400, "model_required"),
        ("POST", chat, b'{"model": ""}', json_type, 400, "model_required"),
        ("POST", chat, b'{"model": null}', json_type, 400, "model_required"),
        ("POST", chat, b'{"model": 7}', json_type, 400, "invalid_type"),
        ("POST", chat, b'{"model": "nobody/nothing"}', json_type, 404, "model_not_found"),
        ("POST", chat, b'{"model": "%s"}' % str(uuid4()).encode(), json_type, 404, "model_not_found"),
        ("POST", chat, b'{"model": "%s"}' % EMBEDDING_MODEL.encode(), json_type, 400, "model_task_mismatch"),
        ("POST", embeddings, b'{"model": "%s"}' % MODEL.encode(), json_type, 400, "model_task_mismatch"),
        ("POST", chat, b"model=x", {"Content-Type": "text/plain"}, 415, "unsupported_media_type"),
        ("POST", chat, b" " * 10_001, json_type, 413, "body_too_large"),
        ("GET", chat, None, {}, 405, "method_not_allowed"),
        ("POST", "/v1/models", b"{}", json_type, 405, "method_not_allowed"),
        ("GET", "/v1/models/nobody/nothing", None, {}, 404, "model_not_found"),
        ("POST", "/v1/images/generations", b"{}", json_type, 404, "unknown_url"),
        ("GET", "/v1/", None, {}, 404, "unknown_url"),
        ("GET", "/v1/models", None, {"Authorization": "Bearer wrong"}, 401, "invalid_api_key"),
        ("POST", chat, b"{}", {"Authorization": ""}, 401, "invalid_api_key"),
    ):
        answer = await api.client.request(method, path, content=content, headers=headers)
        assert answer.status_code == status, (method, path, content, answer.text)
        error = answer.json()["error"]
        assert error["code"] == code
        assert {"message", "type", "param", "code"} <= set(error)
        assert error["message"]


def test_every_task_has_endpoints_and_every_endpoint_a_task() -> None:
    assert {task for endpoint in ENDPOINTS.values() for task in endpoint.tasks} == {"generate", "embed"}
    assert all(endpoint.tasks for endpoint in ENDPOINTS.values())


def test_every_endpoint_is_in_the_document() -> None:
    assert {path for path in PATHS if not path.startswith("/v1/models")} == set(ENDPOINTS)
