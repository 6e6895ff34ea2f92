"""`/models/resolve` says which rule finds a model for whoever asks, and who would answer."""

from typing import Any

import pytest

from tests.api.router.scene import Scene, a_scene
from tests.api.router.test_inference import catalogued
from tests.api.router.test_metering import a_key
from tests.api.stage import MODEL, Stage
from tests.lifecycle import facts


async def explained(scene: Scene, key: str, model: str) -> dict[str, Any]:
    async with scene.api.as_(key) as user:
        answer = await user.get("/models/resolve", params={"model": model})
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


async def test_every_rule_is_named(stage: Stage) -> None:
    scene = await a_scene(stage)
    model_id = await catalogued(scene.api)
    await scene.api.client.post("/organizations", json={"slug": "acme", "name": "Acme"})
    offering = {"code": "small", "model": MODEL}
    made = await scene.api.client.post("/organizations/acme/offerings", json=offering)
    assert made.status_code == 201, made.text
    ours, stranger = (await a_key(scene.api, organization="acme"))["key"], (await a_key(scene.api))["key"]
    for name, rule in ((MODEL, "public"), (model_id, "id"), ("acme/small", "offering")):
        told = await explained(scene, ours, name)
        assert (told["asked"], told["rule"], told["model"], told["code"]) == (name, rule, MODEL, None)
        assert told["task"] == "generate"
        assert [one["eligible"] for one in told["instances"]] == [True]
    for name, code in (
        ("acme/small", "model_not_found"),
        ("nobody/nothing", "model_not_found"),
        ("", "model_required"),
    ):
        told = await explained(scene, stranger, name)
        assert (told["rule"], told["model"], told["code"], told["instances"]) == (None, None, code, [])
    assert "organization_required" not in str(told)


async def test_an_answer_carries_what_served_it(stage: Stage) -> None:
    scene = await a_scene(stage)
    answer = await scene.api.chat()
    assert answer.headers["x-coldstart-model"] == MODEL
    assert answer.headers["x-coldstart-rule"] == "public"
    assert answer.headers["x-coldstart-instance"] == str(scene.instances[0].id)
    assert len(answer.headers["x-request-id"]) == 32
    assert answer.headers["x-request-id"] == scene.workers[0].seen[-1].headers["x-request-id"]
    by_id = await scene.api.chat(await catalogued(scene.api))
    assert by_id.headers["x-coldstart-rule"] == "id"


@pytest.mark.parametrize(("given", "kept"), [("trace-7", True), ("x" * 129, False), ("two words", False)])
async def test_a_request_s_own_id_is_kept_where_it_is_one(stage: Stage, given: str, kept: bool) -> None:
    scene = await a_scene(stage)
    scene.api.client.headers["X-Request-Id"] = given
    answer = await scene.api.chat()
    assert (answer.headers["x-request-id"] == given) is kept
    assert scene.workers[0].seen[-1].headers["x-request-id"] == answer.headers["x-request-id"]
    refused = await scene.api.chat("nobody/nothing")
    assert refused.status_code == 404
    assert (refused.headers["x-request-id"] == given) is kept


async def test_an_instance_of_another_organisation_is_not_there_but_for_an_administrator(stage: Stage) -> None:
    scene = await a_scene(stage)
    made = await scene.api.client.post("/organizations", json={"slug": "acme", "name": "Acme"})
    theirs = await stage.ready("127.0.0.9", organization_id=made.json()["id"])
    ours, stranger = (await a_key(scene.api, organization="acme"))["key"], (await a_key(scene.api))["key"]
    await scene.eligible(1)

    async def seen(key: str) -> set[str]:
        return {one["id"] for one in (await explained(scene, key, MODEL))["instances"]}

    shared = str(scene.instances[0].id)
    assert await seen(stranger) == {shared}
    assert await seen(ours) == {shared, str(theirs.id)}
    told = {one["id"]: one for one in (await scene.explained())["instances"]}
    assert "organisation" in told[str(theirs.id)]["reason"]
    assert told[shared]["eligible"]


async def test_one_that_is_not_ready_says_what_it_is_doing(stage: Stage) -> None:
    scene = await a_scene(stage)
    await stage.happened(facts.health_lost(), instance_id=scene.instances[0].id)
    await scene.eligible(0)
    (told,) = (await scene.explained())["instances"]
    assert told["reason"] == "it is unavailable (100 %, not answering)"
