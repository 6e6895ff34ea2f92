"""A request may wait for an instance to become ready. One that does not wait is told when to come back."""

import asyncio
import json
import math
from typing import Any

import httpx
import pytest
from aiohttp import web

from services.api.router.waiting import heartbeat
from tests.api.router.scene import Scene, answering
from tests.api.router.test_inference import catalogued
from tests.api.stage import MODEL, PATIENCE_S, RunningApi, Stage, until
from tests.lifecycle import facts
from tests.lifecycle import histories as h
from tests.lifecycle.facts import given

BODY: dict[str, Any] = {"model": MODEL, "messages": []}


async def on_its_way(stage: Stage, api: RunningApi, address: str) -> Scene:
    """An instance that has its address, and that the router knows of."""
    await catalogued(api)
    instance = await stage.happened(
        facts.instance_requested(), facts.instance_created(), facts.instance_started(),
        facts.ip_assigned(ip_address=address),
    )  # fmt: skip
    scene = Scene(api, [instance], [])
    await known(scene)
    return scene


async def known(scene: Scene) -> None:
    async def booting() -> bool:
        return [one["status"] for one in (await scene.explained())["instances"]] == ["booting"]

    await until(booting)


async def becomes_ready(stage: Stage, scene: Scene) -> None:
    await stage.happened(facts.ssh_install_completed(), facts.instance_ready(), instance_id=scene.instances[0].id)


async def waiting(api: RunningApi, count: int) -> None:
    async def held() -> bool:
        return f"coldstart_router_requests_waiting {count}.0" in (await api.client.get("/metrics")).text

    await until(held)


def asking(
    api: RunningApi, seconds: str = "60", *, client: httpx.AsyncClient | None = None, **more: Any
) -> asyncio.Task[httpx.Response]:
    headers = {"X-Wait-For-Ready": seconds}
    return asyncio.create_task(
        (client or api.client).post("/v1/chat/completions", json={**BODY, **more}, headers=headers)
    )


async def test_a_request_that_waits_is_served_the_moment_an_instance_is_ready(stage: Stage) -> None:
    api, worker = await stage.api(), await stage.worker()
    scene = await on_its_way(stage, api, worker.address)
    held = asking(api)
    await waiting(api, 1)
    await becomes_ready(stage, scene)
    async with asyncio.timeout(PATIENCE_S):
        answer = await held
    assert (answer.status_code, answer.json()["choices"][0]["message"]["content"]) == (200, "Paris.")
    assert answer.headers["x-coldstart-instance"] == str(scene.instances[0].id)
    await waiting(api, 0)


async def test_a_stream_that_waits_hears_in_comments_how_far_its_instance_is(stage: Stage) -> None:
    api, worker = await stage.api(wait_heartbeat_seconds=0.02), await stage.worker()
    scene = await on_its_way(stage, api, worker.address)
    headers = {"X-Wait-For-Ready": "60"}
    lines: list[str] = []
    async with (
        asyncio.timeout(PATIENCE_S),
        api.client.stream("POST", "/v1/chat/completions", json={**BODY, "stream": True}, headers=headers) as stream,
    ):
        async for line in stream.aiter_lines():
            lines += [line] if line else []
            if len(lines) == 3:
                await becomes_ready(stage, scene)
    assert lines[:2] == [": booting 40 % opening the ports"] * 2
    assert lines[-1] == "data: [DONE]"
    assert stream.headers["content-type"].startswith("text/event-stream")


async def test_of_several_the_one_is_told_of_that_will_be_ready_soonest_and_not_the_one_that_was_lost(
    stage: Stage,
) -> None:
    api = await stage.api(wait_heartbeat_seconds=0.02)
    scene = await on_its_way(stage, api, "127.0.0.9")
    lost = await stage.ready("127.0.0.8")
    await stage.happened(facts.health_lost(), instance_id=lost.id)

    async def known() -> bool:
        statuses = [one["status"] for one in (await scene.explained())["instances"]]
        return sorted(statuses) == ["booting", "unavailable"]

    await until(known)
    told = await api.chat()
    error = told.json()["error"]
    assert (error["instance_id"], error["status"]) == (str(scene.instances[0].id), "booting")
    assert int(told.headers["retry-after"]) == min(3600, math.ceil(error["eta"]["p50_seconds"]))
    waited = await asking(api, "1", stream=True)
    assert waited.text.startswith(": booting 40 %")


async def test_when_the_time_is_over_it_is_said_how_far_the_instance_is(stage: Stage) -> None:
    api = await stage.api()
    scene = await on_its_way(stage, api, "127.0.0.9")
    whole = await asking(api, "0.05")
    error = whole.json()["error"]
    assert (whole.status_code, error["code"], error["status"]) == (503, "model_not_ready", "booting")
    assert error["instance_id"] == str(scene.instances[0].id)
    assert error["eta"]["p50_seconds"] >= 0
    streamed = await asking(api, "0.05", stream=True)
    assert streamed.status_code == 200, "it had begun"
    assert '"code": "model_not_ready"' in streamed.text.split("\n\n")[-2]
    assert "[DONE]" not in streamed.text


async def test_nobody_waits_for_what_will_not_come(stage: Stage) -> None:
    api = await stage.api()
    await catalogued(api)
    nothing = await asking(api)
    assert (nothing.status_code, nothing.headers["retry-after"]) == (503, "30")
    scene = await on_its_way(stage, api, "127.0.0.9")
    held = asking(api)
    await waiting(api, 1)
    failed = facts.startup_failed(code="worker_exited", message="The worker has no memory left.")
    await stage.happened(failed, instance_id=scene.instances[0].id)
    async with asyncio.timeout(PATIENCE_S):
        answer = await held
    error = answer.json()["error"]
    assert (answer.status_code, error["status"], error["eta"]) == (503, "startup_failed", None)
    assert "The worker has no memory left." in error["message"]


async def test_only_so_many_wait_and_only_so_long(stage: Stage) -> None:
    api, brief = await stage.api(wait_for_ready_requests=1), await stage.api(wait_for_ready_seconds=0.2)
    scene = await on_its_way(stage, api, "127.0.0.9")
    held = asking(api)
    await waiting(api, 1)
    refused = await asking(api)
    assert (refused.status_code, refused.json()["error"]["code"]) == (503, "too_many_waiting")
    held.cancel()
    await known(Scene(brief, scene.instances, []))
    async with asyncio.timeout(PATIENCE_S):
        assert (await asking(brief)).json()["error"]["code"] == "model_not_ready"


async def test_no_key_and_no_organization_takes_all_the_places_of_those_that_wait(stage: Stage) -> None:
    api = await stage.api(wait_for_ready_requests_per_key=1, wait_for_ready_requests_per_organization=1)
    await on_its_way(stage, api, "127.0.0.9")
    await api.organization("acme")
    async with api.as_(await api.user_key("acme")) as one, api.as_(await api.user_key("acme")) as another:
        held = [asking(api), asking(api, client=one)]
        await waiting(api, 2)
        for client in (api.client, one, another):
            refused = await asking(api, client=client)
            assert (refused.status_code, refused.json()["error"]["code"]) == (429, "too_many_waiting")
        for task in held:
            task.cancel()
        await waiting(api, 0)


async def test_who_leaves_waits_no_longer(stage: Stage) -> None:
    api = await stage.api()
    await on_its_way(stage, api, "127.0.0.9")
    held = asking(api)
    await waiting(api, 1)
    held.cancel()
    await waiting(api, 0)


@pytest.mark.parametrize("seconds", ["soon", "-1", "nan", "inf", ""])
async def test_a_time_that_is_none_is_refused(stage: Stage, seconds: str) -> None:
    api = await stage.api()
    await catalogued(api)
    refused = await asking(api, seconds)
    assert (refused.status_code, refused.json()["error"]["code"]) == (400, "invalid_header")


async def test_a_worker_s_refusal_within_a_stream_that_waited_is_an_error_event(stage: Stage) -> None:
    api, worker = await stage.api(), await stage.worker()
    scene = await on_its_way(stage, api, worker.address)
    worker.answer = answering(400, {"error": {"message": "too many tokens"}})
    held = asking(api, stream=True)
    await waiting(api, 1)
    await becomes_ready(stage, scene)
    async with asyncio.timeout(PATIENCE_S):
        answer = await held
    assert answer.text.split("\n\n")[-2] == 'data: {"error": {"message": "too many tokens"}}'


@pytest.mark.parametrize("said", [b"", b"<html>", b"null", b'{"detail": "no"}'])
async def test_what_such_a_worker_says_in_other_words_is_put_into_openai_s(stage: Stage, said: bytes) -> None:
    api, worker = await stage.api(), await stage.worker()
    scene = await on_its_way(stage, api, worker.address)

    async def curt(_: web.Request) -> web.Response:
        return web.Response(status=400, body=said)

    worker.answer = curt
    held = asking(api, stream=True)
    await waiting(api, 1)
    await becomes_ready(stage, scene)
    async with asyncio.timeout(PATIENCE_S):
        answer = await held
    error = json.loads(answer.text.split("\n\n")[-2].removeprefix("data: "))["error"]
    assert error["type"] == "invalid_request_error"
    assert error["message"].startswith("The worker answered 400")
    assert said.decode() in error["message"]


async def test_a_key_that_was_revoked_while_it_waited_is_not_served(stage: Stage) -> None:
    api, worker = await stage.api(), await stage.worker()
    scene = await on_its_way(stage, api, worker.address)
    made = (await api.client.post("/api-keys", json={"name": "x"})).json()
    headers = {"X-Wait-For-Ready": "60"}
    async with api.as_(made["key"]) as user:
        held = asyncio.create_task(user.post("/v1/chat/completions", json=BODY, headers=headers))
        await waiting(api, 1)
        await api.client.delete(f"/api-keys/{made['id']}")
        await becomes_ready(stage, scene)
        async with asyncio.timeout(PATIENCE_S):
            answer = await held
    assert (answer.status_code, answer.json()["error"]["code"]) == (401, "invalid_api_key")
    assert worker.seen == []


def test_who_waits_for_one_that_lost_its_models_by_a_stop_reads_that() -> None:
    scratch, stopped = facts.volume_found(volume_id="scratch", scratch=True), facts.server_stopped(scratch_erased=True)
    instance = given(*h.a_ready_instance(), scratch, stopped)
    assert heartbeat(instance, facts.AT) == b": unavailable 100 % stopped, which has erased its models\n\n"
