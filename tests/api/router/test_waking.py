"""A request for a model whose deployment is at zero wakes it, and is held until its replica is ready."""

import asyncio
from typing import Any
from uuid import UUID

import httpx
import pytest

from shared.deployments import decide
from tests.api.router.scene import a_scene
from tests.api.router.sleeping import asleep, listening
from tests.api.router.test_inference import catalogued
from tests.api.router.test_metering import FAST, a_key, summed
from tests.api.stage import EMBEDDING_MODEL, MODEL, PATIENCE_S, RunningApi, Stage, until

BODY: dict[str, Any] = {"model": MODEL, "messages": []}
OTHER = "Qwen/Qwen2.5-7B-Instruct"


def asking(
    api: RunningApi, headers: dict[str, str] | None = None, *, client: httpx.AsyncClient | None = None, **more: Any
) -> asyncio.Task[httpx.Response]:
    return asyncio.create_task(
        (client or api.client).post("/v1/chat/completions", json={**BODY, **more}, headers=headers or {})
    )


async def answered(held: asyncio.Task[httpx.Response]) -> httpx.Response:
    async with asyncio.timeout(PATIENCE_S):
        return await held


async def waiting(api: RunningApi, count: int) -> None:
    async def held() -> bool:
        return f"coldstart_router_requests_waiting {count}.0" in (await api.client.get("/metrics")).text

    await until(held)


async def test_a_request_is_held_its_deployment_hears_of_it_and_the_replica_answers(stage: Stage) -> None:
    api, worker = await stage.api(), await stage.worker()
    sleeping = await asleep(stage, api)
    async with listening(stage) as scaler:
        held = asking(api)
        assert await scaler.woken() == sleeping.id
        assert scaler.load.of(sleeping.id).held == 1
        await sleeping.scaled_up()
        instance = await sleeping.ready(worker.address)
        answer = await answered(held)
        assert (answer.status_code, answer.headers["x-coldstart-instance"]) == (200, str(instance.id))

        async def served() -> bool:
            load = scaler.last[sleeping.id]
            return (load.held, load.in_flight, load.served, load.arrived) == (0, 0, 1, 1)

        await until(served)
    await waiting(api, 0)


async def test_two_hundred_requests_at_once_are_one_wake_and_all_are_answered(stage: Stage) -> None:
    api, worker = await stage.api(), await stage.worker()
    sleeping = await asleep(stage, api)
    limits, headers = httpx.Limits(max_connections=None), dict(api.client.headers)
    async with (
        listening(stage) as scaler,
        httpx.AsyncClient(base_url=api.url, headers=headers, limits=limits, timeout=PATIENCE_S) as crowd,
    ):
        held = [asking(api, client=crowd) for _ in range(200)]
        assert await scaler.woken() == sleeping.id
        await waiting(api, 200)
        await sleeping.scaled_up()
        await sleeping.ready(worker.address)
        assert {(await answered(each)).status_code for each in held} == {200}
        assert scaler.wakes.empty()


@pytest.mark.parametrize(("headers", "scaling"), [({"X-Wait-For-Ready": "0"}, {}), ({}, {"hold": 0})])
async def test_who_does_not_wait_is_refused_at_once_and_wakes_it_all_the_same(
    stage: Stage, headers: dict[str, str], scaling: dict[str, Any]
) -> None:
    api = await stage.api()
    sleeping = await asleep(stage, api, **scaling)
    async with listening(stage) as scaler:
        refused = await answered(asking(api, headers))
        assert await scaler.woken() == sleeping.id
        assert (scaler.last[sleeping.id].refused, scaler.last[sleeping.id].arrived) == (1, 1)
    error = refused.json()["error"]
    assert (refused.status_code, error["code"], error["deployment"]["name"]) == (503, "model_not_ready", "chat")
    assert error["eta"]["p50_seconds"] > 0
    assert int(refused.headers["retry-after"]) >= error["eta"]["p50_seconds"] - 1


async def test_when_the_time_is_over_it_is_said_how_far_the_replica_is(stage: Stage) -> None:
    api = await stage.api()
    await asleep(stage, api)
    error = (await answered(asking(api, {"X-Wait-For-Ready": "0.05"}))).json()["error"]
    assert (error["code"], error["deployment"]["status"], error["instance_id"]) == ("model_not_ready", "active", None)
    streamed = await answered(asking(api, {"X-Wait-For-Ready": "0.05"}, stream=True))
    assert streamed.text.startswith(": deployment chat is waking\n\n")
    assert '"code": "model_not_ready"' in streamed.text


async def test_a_client_that_tells_when_it_leaves_hears_the_answer_before(stage: Stage) -> None:
    api = await stage.api()
    await asleep(stage, api)
    refused = await answered(asking(api, {"X-Stainless-Read-Timeout": "1.05"}))
    assert refused.json()["error"]["code"] == "model_not_ready"


@pytest.mark.parametrize(
    ("judge", "code", "why"),
    [
        (decide.pause, "deployment_paused", "is paused until somebody resumes it."),
        (decide.delete, "deployment_deleted", "was deleted."),
    ],
)
async def test_all_who_wait_hear_at_once_and_why_that_it_will_not_wake(
    stage: Stage, judge: Any, code: str, why: str
) -> None:
    api = await stage.api()
    sleeping = await asleep(stage, api)
    held = [asking(api), asking(api, stream=True)]
    await waiting(api, 2)
    await sleeping.intend(judge)
    whole, streamed = [await answered(each) for each in held]
    assert whole.json()["error"]["message"] == f"{MODEL} is not ready: its deployment chat {why}"
    assert whole.headers["x-should-retry"] == "false"
    assert f'"code": "{code}"' in streamed.text
    if judge is decide.pause:
        later = (await answered(asking(api))).json()["error"]
        assert later["deployment"]["trouble"]["code"] == code


async def test_nobody_wakes_another_organization_s_deployment_and_each_its_own(stage: Stage) -> None:
    api = await stage.api()
    acme = UUID((await api.organization("acme"))["id"])
    sleeping = await asleep(stage, api, organization_id=acme)
    async with listening(stage) as scaler, api.as_(await api.user_key()) as stranger:
        refused = await answered(asking(api, client=stranger))
        assert refused.json()["error"]["deployment"] is None
        async with api.as_(await api.user_key("acme")) as own:
            held = asking(api, client=own)
            assert await scaler.woken() == sleeping.id
            held.cancel()


async def test_what_can_be_woken_is_in_the_list_of_models_and_says_so_until_it_is_awake(stage: Stage) -> None:
    api, worker = await stage.api(), await stage.worker()
    sleeping = await asleep(stage, api)

    async def listed() -> dict[str, Any]:
        models = (await api.client.get("/v1/models")).json()["data"]
        return next(model for model in models if model["id"] == MODEL)

    assert (await listed())["wakes"] is True
    assert (await api.client.get(f"/v1/models/{MODEL}")).json()["wakes"] is True
    await sleeping.ready(worker.address)

    async def awake() -> bool:
        return "wakes" not in await listed()

    await until(awake)


async def test_it_is_explained_which_deployment_wakes_and_why_another_does_not(stage: Stage) -> None:
    api, worker = await stage.api(), await stage.worker()
    first, second = await asleep(stage, api, "first"), await asleep(stage, api, "second")

    async def explained() -> dict[str, tuple[bool, str]]:
        told = (await api.client.get("/models/resolve", params={"model": MODEL})).json()
        return {one["name"]: (one["wakes"], one["reason"]) for one in told["deployments"]}

    wakes = (True, "a request for its model wakes it, or waits for its replica")
    assert await explained() == {"first": wakes, "second": (False, "first wakes before it")}
    await first.intend(decide.pause)
    await first.known(status="paused")
    assert await explained() == {"first": (False, "it is paused until somebody resumes it"), "second": wakes}
    await second.ready(worker.address)
    await second.known(wakes=False)
    assert (await explained())["second"] == (False, "an instance of the model is ready")
    await first.intend(decide.delete)

    async def gone() -> bool:
        return (await explained()).keys() == {"second"}

    await until(gone)


async def test_an_administrator_is_told_of_every_organization_s_deployments(stage: Stage) -> None:
    api = await stage.api()
    acme = UUID((await api.organization("acme"))["id"])
    await asleep(stage, api, organization_id=acme)
    (told,) = (await api.client.get("/models/resolve", params={"model": MODEL})).json()["deployments"]
    assert (told["wakes"], told["reason"]) == (False, "it belongs to an organisation that this key does not belong to")
    async with api.as_(await api.user_key()) as stranger:
        assert (await stranger.get("/models/resolve", params={"model": MODEL})).json()["deployments"] == []


async def test_the_fallback_answers_meanwhile_says_so_and_the_deployment_wakes(stage: Stage) -> None:
    api, other, worker = await stage.api(**FAST), await stage.worker(), await stage.worker()
    await catalogued(api, OTHER)
    sleeping = await asleep(stage, api, fallback=OTHER)
    instance = await stage.ready(other.address, model=OTHER)
    await api.routes(OTHER)
    async with listening(stage) as scaler:
        answer = await answered(asking(api))
        assert await scaler.woken() == sleeping.id
    assert (answer.status_code, answer.headers["x-coldstart-fallback"]) == (200, OTHER)
    assert (answer.headers["x-coldstart-model"], answer.headers["x-coldstart-instance"]) == (MODEL, str(instance.id))
    assert answer.json()["model"] == OTHER
    assert [item["model"] for item in await summed(api, 1, "model")] == [OTHER]
    streamed = await answered(asking(api, stream=True))
    assert streamed.headers["x-coldstart-fallback"] == OTHER
    assert "Pa" in streamed.text
    await sleeping.ready(worker.address)
    await sleeping.known(wakes=False)
    answer = await answered(asking(api))
    assert "x-coldstart-fallback" not in answer.headers
    assert answer.json()["model"] == MODEL
    await sleeping.intend(decide.delete)

    async def without() -> bool:
        return (await api.client.get("/models/resolve", params={"model": MODEL})).json()["fallback"] is None

    await until(without)


async def test_a_fallback_is_no_way_around_a_key_s_rights_nor_to_a_model_of_another_task(stage: Stage) -> None:
    api, other = await stage.api(), await stage.worker()
    await catalogued(api, OTHER)
    sleeping = await asleep(stage, api, fallback=OTHER, hold=0)
    await stage.ready(other.address, model=OTHER)
    await api.routes(OTHER)
    other.seen.clear()
    async with api.as_((await a_key(api, allowed_models=[MODEL]))["key"]) as user:
        refused = await answered(asking(api, client=user))
        assert (refused.status_code, "x-coldstart-fallback" in refused.headers) == (503, False)
        assert (await user.get("/models/resolve", params={"model": MODEL})).json()["fallback"] is None
    assert (await api.client.get("/models/resolve", params={"model": MODEL})).json()["fallback"] == OTHER
    await catalogued(api, EMBEDDING_MODEL)
    scaling = (await sleeping.journal.load(sleeping.id)).wish.scaling.model_copy(update={"fallback": EMBEDDING_MODEL})

    def embed(existing: Any, of: UUID, at: Any) -> Any:
        return decide.put(existing, of, existing.wish.model_copy(update={"scaling": scaling}), at)

    await sleeping.intend(embed)

    async def without() -> bool:
        return (await api.client.get("/models/resolve", params={"model": MODEL})).json()["fallback"] is None

    await until(without)
    assert (await answered(asking(api))).status_code == 503
    assert other.seen == []


async def test_who_asks_to_wait_waits_for_the_model_itself_and_so_does_everybody_while_the_fallback_is_not_ready(
    stage: Stage,
) -> None:
    api, other, worker = await stage.api(), await stage.worker(), await stage.worker()
    await catalogued(api, OTHER)
    sleeping = await asleep(stage, api, fallback=OTHER)
    held = [asking(api)]
    await waiting(api, 1)
    await stage.ready(other.address, model=OTHER)
    await api.routes(OTHER)
    held.append(asking(api, {"X-Wait-For-Ready": "60"}))
    await waiting(api, 2)
    await sleeping.ready(worker.address)
    for each in held:
        answer = await answered(each)
        assert (answer.json()["model"], "x-coldstart-fallback" in answer.headers) == (MODEL, False)


async def test_a_model_without_a_deployment_is_refused_at_once_as_before(stage: Stage) -> None:
    scene = await a_scene(stage)
    await scene.api.client.post(f"/instances/{scene.instances[0].id}/terminate")
    await catalogued(scene.api, OTHER)
    refused = await answered(asking(scene.api, model=OTHER))
    assert (refused.status_code, refused.json()["error"]["code"]) == (503, "model_not_ready")
