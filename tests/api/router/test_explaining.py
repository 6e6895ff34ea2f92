"""`/models/resolve` says which rule finds a model for this caller, and which instances would answer."""

from typing import Any

import pytest
from pydantic import SecretStr

from tests.api.names import LATER
from tests.api.router.scene import Scene, a_scene
from tests.api.router.test_inference import catalogued
from tests.api.router.test_metering import a_key
from tests.api.stage import EMBEDDING_MODEL, MODEL, Stage, until
from tests.api.tenancy.test_organizations import CODE, SLUG
from tests.lifecycle import facts
from tests.nats_proxy import Operation, nats_proxy


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


async def test_what_a_key_may_not_use_is_refused_explained_and_left_out_of_the_list_alike(stage: Stage) -> None:
    scene = await a_scene(stage)
    await catalogued(scene.api, EMBEDDING_MODEL)
    model_id = await catalogued(scene.api)
    await scene.api.organization("acme")
    await scene.api.offering("acme", "small", MODEL)
    for allowed, may, not_allowed in (
        ([EMBEDDING_MODEL], {EMBEDDING_MODEL}, (MODEL, model_id, "acme/small")),
        (["acme/small"], {"acme/small"}, (MODEL, model_id)),
        ([model_id], {MODEL, "acme/small"}, ()),
        (None, {MODEL, EMBEDDING_MODEL, "acme/small"}, ()),
    ):
        key = await scene.api.user_key("acme", allowed_models=allowed)
        async with scene.api.as_(key) as user:
            listed = {one["id"] for one in (await user.get("/v1/models")).json()["data"]}
            assert listed == may
            for name in (MODEL, model_id, "acme/small"):
                refused = name in not_allowed
                told = await explained(scene, key, name)
                assert told["model"] == MODEL
                assert told["code"] == ("model_not_allowed" if refused else None)
                assert [one["eligible"] for one in told["instances"]] == [not refused]
                chat = await user.post("/v1/chat/completions", json={"model": name, "messages": []})
                assert chat.status_code == (403 if refused else 200)
                assert (await user.get(f"/v1/models/{name}")).status_code == chat.status_code
                if refused:
                    assert "may not use" in told["instances"][0]["reason"]
                    assert chat.json()["error"]["code"] == told["code"]


async def test_who_has_lost_touch_says_so_here_too(stage: Stage) -> None:
    async with nats_proxy(stage.nats_url) as wire:
        api = await stage.api(nats_url=SecretStr(wire.url), router_staleness_seconds=0.6)
        scene = await a_scene(stage, api=api)

        async def lost(_: Operation) -> bool:
            return False

        passing, wire.to_client = wire.to_client, lost

        async def stale() -> bool:
            return bool((await scene.explained())["code"] == "routes_stale")

        await until(stale)
        (told,) = (await scene.explained())["instances"]
        assert (told["eligible"], told["status"]) == (False, "ready")
        assert "lost contact" in told["reason"]
        assert (await api.chat()).json()["error"]["code"] == "routes_stale"
        wire.to_client = passing


async def test_an_organisation_is_told_that_a_public_model_hides_its_offering(stage: Stage) -> None:
    scene = await a_scene(stage)
    await scene.api.organization(SLUG)
    await scene.api.offering(SLUG, CODE, MODEL)
    await scene.api.organization("acme")
    ours, theirs = await scene.api.user_key(SLUG), await scene.api.user_key("acme")
    assert "hides" not in (await explained(scene, ours, LATER))["detail"]
    await catalogued(scene.api, LATER)
    told = await explained(scene, ours, LATER)
    assert (told["rule"], told["model"]) == ("public", LATER)
    assert "hides the offering" in told["detail"]
    assert "hides" not in (await explained(scene, theirs, LATER))["detail"]


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
