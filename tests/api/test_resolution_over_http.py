"""The table of the resolution itself, over HTTP: everybody gets the same errors."""

from contextlib import AsyncExitStack

import httpx
from pydantic import SecretStr

from services.api.catalogue.resolution import Rule
from tests.api.fakes import HUB_TOKEN
from tests.api.names import CATALOGUED, OFFERED, TABLE, Caller
from tests.api.stage import EMBEDDING_MODEL, RunningApi, Stage


async def catalogued(api: RunningApi) -> dict[str, str]:
    """Creates the table's organisations, offerings and models, in this order. Returns the models' UUIDs."""
    for slug, offered in OFFERED.items():
        await api.organization(slug)
        for code, (model, active) in offered.items():
            await api.offering(slug, code, model, active=active)
    found = {}
    for name in CATALOGUED:
        answer = await api.client.post("/models", json={"model": name})
        assert answer.is_success, answer.text
        assert answer.json()["model"] == name
        found[name] = answer.json()["id"]
    return found


async def asked(client: httpx.AsyncClient, name: object) -> tuple[int, str]:
    """Nobody serves the model, so the answer says only what the name means."""
    answers = set()
    for path, body in (
        ("chat/completions", {"messages": []}),
        ("completions", {"prompt": "x"}),
        ("embeddings", {"input": "x"}),
    ):
        answer = await client.post(f"/v1/{path}", json={"model": name, **body})
        error = answer.json()["error"]
        assert "organization_required" not in error["code"]
        answers.add((answer.status_code, error["code"]))
    answers.discard((400, "model_task_mismatch"))
    (only,) = answers
    return only


async def test_a_name_means_what_the_table_says_to_every_key(stage: Stage) -> None:
    api = await stage.api(hf_token=SecretStr(HUB_TOKEN))
    uuids = await catalogued(api)
    async with AsyncExitStack() as stack:
        clients: dict[Caller, httpx.AsyncClient] = {
            "nobody's": await stack.enter_async_context(api.as_(await api.user_key())),
            "acme's": await stack.enter_async_context(api.as_(await api.user_key("acme"))),
            "openai-community's": await stack.enter_async_context(api.as_(await api.user_key("openai-community"))),
            "an administrator's": api.client,
        }
        for caller, client in clients.items():
            for name, meaning in TABLE.items():
                expected = (503, "model_not_ready") if caller in meaning else (404, "model_not_found")
                assert await asked(client, name) == expected, (caller, name[:40])
            for uuid in uuids.values():
                assert await asked(client, uuid) == (503, "model_not_ready")
            for nothing in (None, ""):
                assert await asked(client, nothing) == (400, "model_required")
            listed = {model["id"]: model for model in (await client.get("/v1/models")).json()["data"]}
            assert set(listed) == {name for name, meaning in TABLE.items() if caller in meaning}
            for name, model in listed.items():
                assert model["owned_by"] == name.partition("/")[0]
                assert (await client.get(f"/v1/models/{name}")).json() == model
            for name in OFFERED["acme"]:
                seen = (await client.get(f"/v1/models/acme/{name}")).status_code
                assert seen == (200 if caller in TABLE[f"acme/{name}"] else 404)


async def test_an_offering_is_answered_by_an_instance_of_its_model(stage: Stage) -> None:
    api, worker = await stage.api(), await stage.worker()
    await api.organization("acme")
    await api.offering("acme", "search", EMBEDDING_MODEL)
    await stage.ready(worker.address, model=EMBEDDING_MODEL, task="embed")
    await api.routes(EMBEDDING_MODEL, "/v1/embeddings", input="x")
    async with api.as_(await api.user_key("acme")) as member:
        answer = await member.post("/v1/embeddings", json={"model": "acme/search", "input": "x"})
    assert answer.status_code == 200, answer.text
    assert answer.json()["model"] == EMBEDDING_MODEL


def test_the_table_has_every_rule() -> None:
    rules = {means.rule for meaning in TABLE.values() for means in meaning.values()}
    assert rules == {Rule.PUBLIC, Rule.OFFERING}, "a UUID is given when a model is catalogued"
