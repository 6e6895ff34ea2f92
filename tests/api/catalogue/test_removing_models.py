"""When a model leaves the catalogue, an offering that it shadowed answers again."""

from uuid import uuid4

from shared.lifecycle.decide import terminate
from shared.lifecycle.events import InstanceTerminated
from tests.api.admission.test_launch_rights import catalogued, launched
from tests.api.stage import EMBEDDING_MODEL, MODEL, Stage, until
from tests.lifecycle import facts

SHADOWING = "openai-community/gpt2"


async def test_the_offering_that_it_shadowed_answers_again_in_every_process(stage: Stage) -> None:
    api, other, worker = await stage.api(), await stage.api(), await stage.worker()
    await api.organization("openai-community")
    await api.offering("openai-community", "gpt2", MODEL)
    shadowing = (await api.client.post("/models", json={"model": SHADOWING})).json()["id"]
    await stage.ready(worker.address, model=MODEL)
    for each in (api, other):
        await each.routes(MODEL)
    async with other.as_(await api.user_key("openai-community")) as member:

        async def shadowed() -> bool:
            (offering,) = (await member.get("/organizations/openai-community/offerings")).json()["items"]
            return bool(offering["shadowed"])

        async def answered() -> int:
            body = {"model": SHADOWING, "messages": [{"role": "user", "content": "hello"}]}
            return (await member.post("/v1/chat/completions", json=body)).status_code

        async def free() -> bool:
            return not await shadowed()

        await until(shadowed)
        assert await answered() == 503
        assert (await api.client.delete(f"/models/{shadowing}")).status_code == 204
        await until(free)
        assert await answered() == 200
    assert await catalogued(api) == {MODEL}


async def test_a_model_with_instances_or_offerings_stays_until_they_are_gone(stage: Stage) -> None:
    await stage.projector()
    api = await stage.api()
    await api.organization("acme")
    await api.offering("acme", "chat", MODEL)
    (model,) = (await api.client.get("/models")).json()["items"]
    at = f"/models/{model['id']}"
    instance = await stage.journal.load((await launched(api.client, "key")).json()["id"])
    await api.projected(instance)

    refused = await api.client.delete(at)
    assert (refused.status_code, refused.json()["code"]) == (409, "model_in_use")
    assert f"GET /instances?model={MODEL}" in refused.json()["detail"]
    await stage.journal.intend(instance.id, terminate, intent_id=uuid4(), at=facts.AT)
    gone = InstanceTerminated(instance_id=instance.id, occurred_at=facts.AT, server_id=None)
    await api.projected(await stage.journal.record(gone))

    refused = await api.client.delete(at)
    assert (refused.status_code, refused.json()["code"]) == (409, "model_offered")
    assert "acme/chat" in refused.json()["detail"]
    assert await catalogued(api) == {MODEL}
    await api.client.delete("/organizations/acme/offerings/chat")

    assert (await api.client.delete(at)).status_code == 204
    repeated = await launched(api.client, "key")
    assert (repeated.status_code, repeated.json()["id"]) == (202, str(instance.id))
    assert await catalogued(api) == set(), "what is gone brings no model back"
    assert (await launched(api.client)).status_code == 202
    assert await catalogued(api) == {MODEL}


async def test_what_is_no_model_of_the_catalogue_is_not_found_and_members_remove_none(stage: Stage) -> None:
    api = await stage.api()
    added = (await api.client.post("/models", json={"model": EMBEDDING_MODEL})).json()["id"]
    for wrong in (uuid4(), "nothing", "search"):
        answer = await api.client.delete(f"/models/{wrong}")
        assert answer.status_code in (404, 405), answer.text
    await api.organization("acme")
    async with api.as_(await api.user_key("acme")) as member:
        assert (await member.delete(f"/models/{added}")).status_code == 403
    assert await catalogued(api) == {EMBEDDING_MODEL}


async def test_what_was_used_stays_readable(stage: Stage) -> None:
    api, worker = await stage.api(usage_write_seconds=0.05), await stage.worker()
    added = (await api.client.post("/models", json={"model": MODEL})).json()["id"]
    await stage.ready(worker.address, model=MODEL)
    await api.routes(MODEL)

    async def used() -> bool:
        return bool((await api.client.get("/usage", params={"group_by": "model"})).json()["items"])

    await until(used)
    before = (await api.client.get("/usage", params={"group_by": "model"})).json()["items"]
    assert (await api.client.delete(f"/models/{added}")).status_code == 204
    assert [row["model"] for row in before] == [MODEL]
    assert (await api.client.get("/usage", params={"group_by": "model"})).json()["items"] == before
