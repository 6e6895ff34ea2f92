import asyncio
from typing import Any

import asyncpg
import pytest
from pydantic import SecretStr

from tests.api.fakes import HUB_TOKEN
from tests.api.stage import BODY, EMBEDDING_MODEL, MODEL, RunningApi, Stage, until
from tests.api.test_outages import database_away

GATED = "meta-llama/Llama-3.1-8B-Instruct"
FIGURES = (494_032_768, 988_065_536)
CONTENTS = ("the list of files", "config.json")
"""What a launch asks for of the model's repository."""


async def test_a_model_is_looked_up_once_and_known_from_then_on(stage: Stage) -> None:
    api, other = await stage.api(), await stage.api(refresh_seconds=3600)
    added = await api.client.post("/models", json={"model": MODEL})
    assert added.status_code == 201
    assert set(added.json()) == {
        *("id", "model", "task", "gated", "parameters", "weights_bytes", "trust_remote_code", "created_at")
    }
    assert (added.json()["parameters"], added.json()["weights_bytes"]) == FIGURES
    asked = stage.hub.asked
    again = await api.client.post("/models", json={"model": MODEL})
    assert (again.status_code, again.json()) == (200, added.json())
    assert stage.hub.asked == asked
    for _ in range(2):
        assert (await api.client.post("/instances", json=BODY)).status_code == 202
    assert stage.hub.asked == asked, "what the repository holds was asked for when it was added"

    async def known_there() -> bool:
        return [model["id"] for model in (await other.client.get("/v1/models")).json()["data"]] == [MODEL]

    await until(known_there)
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


@pytest.mark.parametrize(
    ("model", "code"),
    [
        ("nobody/nothing", "model_not_found"),
        ("acme-labs/support-7b", "model_not_found"),
        (GATED, "model_gated"),
        ("openai/whisper-large-v3", "task_not_supported"),
    ],
)
async def test_what_cannot_be_served_is_refused_with_its_reason_and_asked_for_once(
    stage: Stage, model: str, code: str
) -> None:
    api = await stage.api()
    for _ in range(2):
        refused = await api.client.post("/models", json={"model": model})
        assert (refused.status_code, refused.json()["code"]) == (422, code)
        assert [error["pointer"] for error in refused.json()["errors"]] == ["/model"]
    assert stage.hub.asked == 1


async def test_a_model_that_was_taken_down_is_refused(stage: Stage) -> None:
    api = await stage.api()
    stage.hub.broken, stage.hub.headers = 403, {"X-Error-Message": "Access to this resource is disabled."}
    refused = await api.client.post("/models", json={"model": MODEL})
    assert (refused.status_code, refused.json()["code"]) == (422, "model_disabled")


async def test_a_hub_that_limits_us_is_told_with_the_time_that_it_asks_for(stage: Stage) -> None:
    api = await stage.api()
    stage.hub.broken, stage.hub.headers = 429, {"RateLimit": '"api";r=0;t=55'}
    refused = await api.client.post("/models", json={"model": MODEL})
    assert (refused.status_code, refused.json()["code"]) == (503, "hub_rate_limited")
    assert refused.headers["retry-after"] == "55"
    stage.hub.broken = None
    assert (await api.client.post("/models", json={"model": MODEL})).status_code == 201


async def catalogued_before_figures_were_kept(stage: Stage, api: RunningApi) -> None:
    """Store the model as an older release did."""
    await api.client.post("/models", json={"model": MODEL})
    connection = await asyncpg.connect(stage.database_url)
    await connection.execute("UPDATE models SET parameters = NULL, weights_bytes = NULL")
    await connection.close()


async def figures(api: RunningApi) -> tuple[int | None, int | None]:
    (model,) = (await api.client.get("/models")).json()["items"]
    return model["parameters"], model["weights_bytes"]


@pytest.mark.parametrize(("path", "body"), [("/models", {"model": MODEL}), ("/instances", BODY)])
async def test_a_model_without_figures_gets_them_when_it_is_next_asked_for(
    stage: Stage, path: str, body: dict[str, Any]
) -> None:
    await catalogued_before_figures_were_kept(stage, await stage.api())
    api = await stage.api()
    assert await figures(api) == (None, None)
    assert (await api.client.post(path, json=body)).is_success
    assert await figures(api) == FIGURES


async def test_a_model_without_figures_gets_them_under_a_former_spelling_too(stage: Stage) -> None:
    await catalogued_before_figures_were_kept(stage, await stage.api())
    stage.hub.renamed[MODEL.lower()] = MODEL
    api = await stage.api()
    answer = await api.client.post("/models", json={"model": MODEL.lower()})
    assert (answer.status_code, answer.json()["parameters"]) == (200, FIGURES[0])


@pytest.mark.parametrize("fault", ["broken", "silent"])
async def test_a_model_without_figures_is_launched_although_the_hub_does_not_answer(stage: Stage, fault: str) -> None:
    await catalogued_before_figures_were_kept(stage, await stage.api())
    api = await stage.api(hub_timeout_seconds=60)
    stage.hub.broken = 500 if fault == "broken" else None
    stage.hub.silent = fault == "silent"
    accepted = await api.client.post("/instances", json=BODY)
    assert accepted.status_code == 202, accepted.text
    assert await figures(api) == (None, None)


async def test_a_model_without_figures_is_launched_although_they_cannot_be_kept(stage: Stage) -> None:
    await catalogued_before_figures_were_kept(stage, await stage.api())
    api = await stage.api()
    asked = stage.hub.asked
    async with database_away(stage):
        assert (await api.client.post("/instances", json=BODY)).status_code == 202
    assert stage.hub.asked == asked + 1 + len(CONTENTS)


async def test_inference_never_asks_the_hub(stage: Stage) -> None:
    api, worker = await stage.api(), await stage.worker()
    model_id = (await api.client.post("/models", json={"model": MODEL})).json()["id"]
    await stage.ready(worker.address)
    await api.routes()
    asked = stage.hub.asked
    for model in (MODEL, model_id, EMBEDDING_MODEL, GATED, "nobody/nothing", "nonsense", ""):
        for path in ("/v1/chat/completions", "/v1/completions", "/v1/embeddings"):
            await api.client.post(path, json={"model": model, "messages": [], "prompt": "", "input": ""})
        await api.client.get(f"/v1/models/{model}")
    assert (await api.client.get("/v1/models")).status_code == 200
    assert worker.seen
    assert stage.hub.asked == asked
