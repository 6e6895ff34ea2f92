"""/v1 enforces a key's limits, and /usage shows what the key has used."""

import asyncio
from typing import Any

import httpx
import pytest

from services.api.app import running
from tests.api.router.scene import DONE, USAGE, WORDS, Scene, a_scene, answering, drops, hangs, streaming
from tests.api.router.test_inference import catalogued
from tests.api.stage import ADMIN_KEY, EMBEDDING_MODEL, MODEL, PATIENCE_S, RunningApi, Stage, a_client, until
from tests.api.test_outages import database_away

FAST: dict[str, Any] = {"usage_write_seconds": 0.02}


async def a_key(api: RunningApi, **more: Any) -> dict[str, Any]:
    made = await api.client.post("/api-keys", json={"name": "somebody", **more})
    assert made.status_code == 201, made.text
    return dict(made.json())


async def summed(api: RunningApi, requests: int, *group_by: str) -> list[dict[str, Any]]:
    """The answer of /usage once it counts this many requests."""
    told: list[dict[str, Any]] = []

    async def known() -> bool:
        answer = await api.client.get("/usage", params={"group_by": list(group_by)})
        assert answer.status_code == 200, answer.text
        told[:] = answer.json()["items"]
        return sum(int(item["requests"]) for item in told) >= requests

    await until(known)
    return told


async def chat(scene: Scene, key: str, model: str = MODEL, **more: Any) -> Any:
    async with scene.api.as_(key) as user:
        return await user.post("/v1/chat/completions", json={"model": model, "messages": [], **more})


async def test_a_key_s_limits_hold_and_are_told_in_openai_s_headers(stage: Stage) -> None:
    scene = await a_scene(stage)
    key = (await a_key(scene.api, requests_per_minute=2, tokens_per_minute=1_000))["key"]
    first = await chat(scene, key)
    assert (first.status_code, first.headers["x-ratelimit-remaining-requests"]) == (200, "1")
    assert first.headers["x-ratelimit-limit-tokens"] == "1000"
    await chat(scene, key)
    refused = await chat(scene, key)
    assert (refused.status_code, refused.json()["error"]["code"]) == (429, "rate_limit_exceeded")
    assert refused.json()["error"]["type"] == "rate_limit_error"
    assert 20 <= int(refused.headers["retry-after"]) <= 30
    assert refused.headers["x-ratelimit-remaining-requests"] == "0"
    assert (await chat(scene, (await a_key(scene.api))["key"])).status_code == 200


async def test_tokens_of_whole_answers_and_of_streams_count(stage: Stage) -> None:
    scene = await a_scene(stage)
    key = (await a_key(scene.api, tokens_per_minute=10))["key"]
    scene.all_answer(streaming(*WORDS, USAGE, DONE))
    assert (await chat(scene, key, stream=True)).status_code == 200
    assert (await chat(scene, key, stream=True)).status_code == 429


async def test_a_stream_that_will_not_be_told_of_is_charged_by_its_size(stage: Stage) -> None:
    scene = await a_scene(stage)
    key = (await a_key(scene.api, tokens_per_minute=1_000))["key"]
    scene.all_answer(streaming(*WORDS, DONE))
    untold: dict[str, Any] = {"stream": True, "stream_options": {"include_usage": False}, "prompt": "word " * 1_000}
    assert (await chat(scene, key, **untold)).status_code == 200
    assert (await chat(scene, key, **untold)).status_code == 429


@pytest.mark.parametrize("status", [400, 500, 503])
async def test_what_fails_costs_no_tokens(stage: Stage, status: int) -> None:
    scene = await a_scene(stage, breaker_failures=1_000)
    key = (await a_key(scene.api, tokens_per_minute=1_000))["key"]
    scene.all_answer(answering(status))
    large: dict[str, Any] = {"prompt": "word " * 1_000}
    for _ in range(3):
        failed = await chat(scene, key, **large)
        assert (failed.status_code, failed.headers["x-ratelimit-remaining-tokens"]) == (status, "1000")
    scene.all_answer(drops)
    assert (await chat(scene, key, **large)).status_code == 502
    scene.all_answer(streaming(*WORDS, breaks=True))
    await chat(scene, key, stream=True, **large)
    assert (await chat(scene, key, **large)).headers["x-ratelimit-remaining-tokens"] == "1000"


async def test_a_row_that_the_database_will_never_take_keeps_no_other_from_it(stage: Stage) -> None:
    scene = await a_scene(stage, **FAST)
    key = (await a_key(scene.api))["key"]
    usage = {"prompt_tokens": 2**31 - 1, "completion_tokens": 2**31 - 1}
    scene.all_answer(answering(200, {"usage": usage}))
    for _ in range(3):
        assert (await chat(scene, key)).status_code == 200
    scene.all_answer(answering(599, {"usage": {"prompt_tokens": -1}}))
    assert (await chat(scene, key)).status_code == 599
    (told,) = await summed(scene.api, 4, "key")
    assert (told["prompt_tokens"], told["requests_untold"]) == (3 * (2**31 - 1), 1)


async def test_no_more_requests_at_once_than_a_key_may_have(stage: Stage) -> None:
    scene = await a_scene(stage, worker_silence_seconds=PATIENCE_S)
    key = (await a_key(scene.api, max_concurrent=1))["key"]
    scene.all_answer(hangs)
    running = asyncio.create_task(chat(scene, key))

    async def asked() -> bool:
        return bool(scene.workers[0].seen)

    await until(asked)
    assert (await chat(scene, key)).status_code == 429
    running.cancel()
    scene.all_answer(answering(200))

    async def free() -> bool:
        return bool((await chat(scene, key)).status_code == 200)

    await until(free)


async def test_a_key_uses_the_models_that_it_may_and_no_others(stage: Stage) -> None:
    scene = await a_scene(stage)
    key = (await a_key(scene.api, allowed_models=[EMBEDDING_MODEL]))["key"]
    refused = await chat(scene, key)
    assert (refused.status_code, refused.json()["error"]["code"]) == (403, "model_not_allowed")
    assert (await chat(scene, (await a_key(scene.api, allowed_models=[MODEL]))["key"])).status_code == 200


async def test_usage_is_told_by_key_model_and_instance(stage: Stage) -> None:
    scene = await a_scene(stage, **FAST)
    key = await a_key(scene.api)
    assert (await chat(scene, key["key"])).status_code == 200
    scene.all_answer(streaming(*WORDS, USAGE, DONE))
    assert (await chat(scene, key["key"], stream=True)).status_code == 200
    (told,) = await summed(scene.api, 2, "key", "model", "instance")
    assert (told["key_id"], told["model"], told["instance_id"]) == (key["id"], MODEL, str(scene.instances[0].id))
    assert (told["requests"], told["failed_requests"], told["requests_untold"]) == (2, 0, 0)
    assert (told["prompt_tokens"], told["completion_tokens"]) == (3 + 11, 2 + 3)
    assert 0 < told["first_byte_ms"]["p50"] <= told["duration_ms"]["p95"]
    assert told["day"] is None


async def test_what_failed_and_what_was_not_told_is_counted_as_that(stage: Stage) -> None:
    scene = await a_scene(stage, breaker_failures=1_000, **FAST)
    key = (await a_key(scene.api))["key"]
    scene.all_answer(drops)
    assert (await chat(scene, key)).status_code == 502
    scene.all_answer(streaming(*WORDS))
    asks_for_none: dict[str, Any] = {"stream_options": {"include_usage": False}}
    assert (await chat(scene, key, stream=True, **asks_for_none)).status_code == 200
    (told,) = await summed(scene.api, 2, "model")
    assert (told["requests"], told["failed_requests"], told["requests_untold"]) == (2, 1, 2)
    assert told["completion_tokens"] == len(WORDS), "about one an event"


async def test_a_stream_that_breaks_has_failed_and_one_that_its_client_left_has_not(stage: Stage) -> None:
    scene = await a_scene(stage, breaker_failures=1_000, worker_silence_seconds=PATIENCE_S, **FAST)
    broken, left = await a_key(scene.api), await a_key(scene.api)
    scene.all_answer(streaming(*WORDS, breaks=True))
    assert (await chat(scene, broken["key"], stream=True)).status_code == 200
    scene.all_answer(streaming(*WORDS, gate=asyncio.Event()))
    body = {"model": MODEL, "messages": [], "stream": True}
    async with (
        scene.api.as_(left["key"]) as user,
        user.stream("POST", "/v1/chat/completions", json=body) as answer,
    ):
        await anext(answer.aiter_raw())
    told = {one["key_id"]: one for one in await summed(scene.api, 2, "key")}
    assert {key: one["failed_requests"] for key, one in told.items()} == {broken["id"]: 1, left["id"]: 0}
    assert told[left["id"]]["completion_tokens"] == 1


async def test_a_request_that_no_worker_was_asked_for_used_nothing(stage: Stage) -> None:
    scene = await a_scene(stage, **FAST)
    key = (await a_key(scene.api))["key"]
    await catalogued(scene.api, EMBEDDING_MODEL)
    assert (await chat(scene, key, model=EMBEDDING_MODEL)).status_code == 400
    assert (await chat(scene, key, model="nobody/nothing")).status_code == 404
    assert (await chat(scene, key)).status_code == 200
    (told,) = await summed(scene.api, 1, "day", "model")
    assert told["requests"] == 1


async def test_a_user_sees_its_own_key_s_usage_an_organisation_s_key_its_organisation_s(stage: Stage) -> None:
    scene = await a_scene(stage, **FAST)
    await scene.api.client.post("/organizations", json={"slug": "acme", "name": "Acme"})
    alone, other = await a_key(scene.api), await a_key(scene.api)
    ours, too = [await a_key(scene.api, organization="acme") for _ in range(2)]
    for key in (alone, other, ours, too):
        assert (await chat(scene, key["key"])).status_code == 200
    await summed(scene.api, 4, "key")
    for key, seen in ((alone, {alone["id"]}), (ours, {ours["id"], too["id"]})):
        async with scene.api.as_(key["key"]) as user:
            items = (await user.get("/usage", params={"group_by": "key"})).json()["items"]
        assert {item["key_id"] for item in items} == seen


async def test_an_administrator_asks_for_one_organisation_s_usage_and_others_for_no_other(stage: Stage) -> None:
    scene = await a_scene(stage, **FAST)
    for slug in ("acme", "globex"):
        await scene.api.organization(slug)
    acme, globex, alone = [await a_key(scene.api, organization=slug) for slug in ("acme", "globex", None)]
    for key in (acme, globex, alone):
        assert (await chat(scene, key["key"])).status_code == 200
    await summed(scene.api, 3, "key")

    async def asked(key: str, slug: str) -> httpx.Response:
        async with scene.api.as_(key) as client:
            return await client.get("/usage", params={"group_by": "key", "organization": slug})

    for who in (ADMIN_KEY, acme["key"]):
        assert [item["key_id"] for item in (await asked(who, "acme")).json()["items"]] == [acme["id"]]
    for who, slug in ((acme["key"], "globex"), (alone["key"], "acme"), (ADMIN_KEY, "nobody")):
        answer = await asked(who, slug)
        assert (answer.status_code, answer.json()["code"]) == (404, "organization_not_found")


@pytest.mark.parametrize(
    ("asked", "pointer"),
    [
        ({"group_by": "colour"}, "group_by"),
        ({"from": "2026-02-01", "to": "2026-01-01"}, "from"),
        ({"from": "2020-01-01"}, "from"),
        ({"from": "yesterday"}, "from"),
    ],
)
async def test_a_question_that_makes_no_sense_says_so(stage: Stage, asked: dict[str, str], pointer: str) -> None:
    api = await stage.api()
    answer = await api.client.get("/usage", params=asked)
    assert answer.status_code == 422, answer.text
    assert pointer in answer.json()["errors"][0]["pointer"]


async def test_a_list_of_sums_that_was_cut_off_says_so(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("services.api.control.usage._MOST", 1)
    scene = await a_scene(stage, **FAST)
    keys = [(await a_key(scene.api))["key"] for _ in range(2)]
    await asyncio.gather(*(chat(scene, key) for key in keys))
    await summed(scene.api, 2, "model")
    for group, truncated in (("key", True), ("model", False)):
        told = (await scene.api.client.get("/usage", params={"group_by": group})).json()
        assert (len(told["items"]), told["truncated"]) == (1, truncated)


async def test_usage_outlives_a_database_that_is_away(stage: Stage) -> None:
    scene = await a_scene(stage, **FAST)
    key = (await a_key(scene.api))["key"]
    async with database_away(stage):
        for _ in range(3):
            assert (await chat(scene, key)).status_code == 200
    await summed(scene.api, 3, "key")


async def test_what_is_not_yet_written_is_written_at_the_end(stage: Stage) -> None:
    scene = await a_scene(stage)
    key = (await a_key(scene.api))["key"]
    async with (
        running(stage.settings(usage_write_seconds=3_600)) as slow,
        a_client(slow.url, Authorization=f"Bearer {key}") as user,
    ):

        async def answered() -> bool:
            return (await user.post("/v1/chat/completions", json={"model": MODEL, "messages": []})).status_code == 200

        await until(answered)
    await summed(scene.api, 1, "key")
