import asyncio

import pytest
from pydantic import SecretStr

from tests.api.fakes import HUB_TOKEN
from tests.api.stage import BODY, EMBEDDING_MODEL, MODEL, Stage, until

GATED = "meta-llama/Llama-3.1-8B-Instruct"


async def test_a_model_is_looked_up_once_and_known_from_then_on(stage: Stage) -> None:
    api, other = await stage.api(), await stage.api()
    added = await api.client.post("/models", json={"model": MODEL})
    assert added.status_code == 201
    assert set(added.json()) == {"id", "model", "task", "gated", "created_at"}
    asked = stage.hub.asked
    again = await api.client.post("/models", json={"model": MODEL})
    assert (again.status_code, again.json()) == (200, added.json())
    assert (await api.client.post("/instances", json=BODY)).status_code == 202
    assert stage.hub.asked == asked

    async def known_there() -> bool:
        return [model["id"] for model in (await other.client.get("/v1/models")).json()["data"]] == [MODEL]

    await until(known_there, within_s=1)
    assert (await other.client.get("/models")).json() == {"items": [added.json()], "next_cursor": None}


async def test_two_who_ask_for_a_new_model_at_once_get_the_same(stage: Stage) -> None:
    api, other = await stage.api(), await stage.api()
    answers = await asyncio.gather(*(one.client.post("/models", json={"model": MODEL}) for one in (api, other) * 3))
    assert len({answer.json()["id"] for answer in answers}) == 1


async def test_a_model_is_known_by_the_hub_s_own_spelling(stage: Stage) -> None:
    api = await stage.api()
    stage.hub.renamed[MODEL.lower()] = MODEL
    answer = await api.client.post("/models", json={"model": MODEL.lower()})
    assert answer.status_code == 201, answer.text
    assert answer.json()["model"] == MODEL
    assert (await api.client.post("/models", json={"model": MODEL.lower()})).status_code == 200


async def test_an_instance_of_an_embedding_model_has_the_task_to_embed(stage: Stage) -> None:
    api = await stage.api()
    accepted = await api.client.post("/instances", json=BODY | {"model": EMBEDDING_MODEL})
    assert (await stage.journal.load(accepted.json()["id"])).specification.task == "embed"


async def test_a_gated_model_is_had_with_a_token(stage: Stage) -> None:
    api = await stage.api(hf_token=SecretStr(HUB_TOKEN))
    answer = await api.client.post("/models", json={"model": GATED})
    assert (answer.status_code, answer.json()["gated"]) == (201, True)


async def test_a_private_model_is_refused_even_to_who_may_see_it(stage: Stage) -> None:
    api = await stage.api(hf_token=SecretStr(HUB_TOKEN))
    answer = await api.client.post("/models", json={"model": "acme-labs/support-7b"})
    assert (answer.status_code, answer.json()["code"]) == (422, "model_private")


async def test_a_token_that_the_hub_refuses_is_told_apart(stage: Stage) -> None:
    api = await stage.api(hf_token=SecretStr("hf_wrong"))
    answer = await api.client.post("/models", json={"model": MODEL})
    assert (answer.status_code, answer.json()["code"]) == (502, "hub_token_refused")


@pytest.mark.parametrize("fault", ["broken", "silent", "away"])
async def test_a_hub_that_does_not_answer_is_told_apart_from_a_missing_model(stage: Stage, fault: str) -> None:
    overrides = {"hf_endpoint": "http://127.0.0.1:9"} if fault == "away" else {}
    api = await stage.api(hub_timeout_seconds=0.3, **overrides)
    stage.hub.broken = 500 if fault == "broken" else None
    stage.hub.silent = fault == "silent"
    before = await stage.last_sequence()
    answer = await api.client.post("/instances", json=BODY)
    assert (answer.status_code, answer.json()["code"]) == (503, "hub_unavailable")
    assert answer.headers["retry-after"]
    assert await stage.last_sequence() == before


async def test_a_catalogued_model_needs_no_hub(stage: Stage) -> None:
    api = await stage.api()
    model_id = (await api.client.post("/models", json={"model": MODEL})).json()["id"]
    stage.hub.broken = 500
    assert (await api.client.post("/instances", json=BODY)).status_code == 202
    by_uuid = await api.client.post("/instances", json=BODY | {"model": model_id})
    assert by_uuid.json()["model"] == MODEL
