"""What a launch may bring into the catalogue, and what an organisation's key may not launch."""

import asyncio
from typing import Any

import asyncpg
import httpx
import pytest
from pydantic import SecretStr

from tests.api.fakes import HUB_TOKEN
from tests.api.stage import BODY, EMBEDDING_MODEL, MODEL, RunningApi, Stage
from tests.nats_proxy import Operation, nats_proxy

GATED = "meta-llama/Llama-3.1-8B-Instruct"
OTHERS_IMAGES = (
    "evil/vllm-openai:v0.32.0",
    "evil.example/vllm/vllm-openai",
    "vllm/vllm-openai.evil.example/x",
    "vllm/vllm-openai-evil",
)


async def catalogued(api: RunningApi) -> set[str]:
    return {model["model"] for model in (await api.client.get("/models")).json()["items"]}


async def launched(client: httpx.AsyncClient, key: str | None = None, **fields: Any) -> httpx.Response:
    headers = {"Idempotency-Key": key} if key else {}
    return await client.post("/instances", json=BODY | fields, headers=headers)


def refused(answer: httpx.Response, pointer: str, *said: str) -> None:
    body = answer.json()
    assert (answer.status_code, body["code"]) == (403, "launch_not_allowed"), answer.text
    assert [error["pointer"] for error in body["errors"]] == [pointer]
    for words in said:
        assert words in body["detail"]


async def test_a_launch_that_is_refused_catalogues_nothing(stage: Stage) -> None:
    api = await stage.api()
    await api.organization("acme", max_instances=0)
    assert (await launched(api.client, "key", model=MODEL)).status_code == 202
    async with api.as_(await api.user_key("acme")) as member:
        answers = [
            await launched(api.client, model=EMBEDDING_MODEL, instance_types=["L40S-9"]),
            await launched(api.client, model=EMBEDDING_MODEL, zones=["nowhere"]),
            await launched(api.client, model=EMBEDDING_MODEL, provider="elsewhere"),
            await launched(api.client, model=EMBEDDING_MODEL, vllm_args=["--trust-remote-code"]),
            await launched(api.client, "key", model=EMBEDDING_MODEL),
            await launched(member, model=EMBEDDING_MODEL),
            await launched(member, model=EMBEDDING_MODEL, image="evil/vllm-openai"),
        ]
    assert [answer.status_code for answer in answers] == [422] * 5 + [403] * 2
    assert await catalogued(api) == {MODEL}


async def test_of_two_launches_with_one_key_only_the_admitted_one_is_catalogued(stage: Stage) -> None:
    api, other = await stage.api(), await stage.api()
    answers = await asyncio.gather(
        launched(api.client, "key", model=MODEL), launched(other.client, "key", model=EMBEDDING_MODEL)
    )
    assert sorted(answer.status_code for answer in answers) == [202, 422]
    (admitted,) = [answer.json()["model"] for answer in answers if answer.status_code == 202]
    assert await catalogued(api) == {admitted}


async def test_a_launch_that_was_recorded_and_not_catalogued_is_when_it_is_repeated(stage: Stage) -> None:
    api = await stage.api()
    asked = (await launched(api.client, "key")).json()["id"]
    connection = await asyncpg.connect(stage.database_url)
    await connection.execute("DELETE FROM models")
    await connection.close()
    again = await launched((await stage.api()).client, "key")
    assert (again.status_code, again.json()["id"]) == (202, asked)
    assert await catalogued(api) == {MODEL}


async def test_a_launch_of_which_nobody_knows_whether_it_was_recorded_is_catalogued(stage: Stage) -> None:
    async with nats_proxy(stage.nats_url) as wire:
        api = await stage.api(nats_url=SecretStr(wire.url), journal_timeout_seconds=0.3, router_staleness_seconds=30)
        recorded = asyncio.Event()

        async def noticed(operation: Operation) -> bool:
            if operation.subject.endswith("InstanceRequested"):
                recorded.set()
            return True

        async def lost(_: Operation) -> bool:
            return not recorded.is_set()

        wire.to_server, wire.to_client = noticed, lost
        answer = await launched(api.client)
        assert (answer.status_code, answer.json()["code"]) == (503, "journal_unavailable")
        assert recorded.is_set()
        assert await catalogued(api) == {MODEL}


async def test_an_organisation_s_name_is_taken_by_no_member_whatever_its_case(stage: Stage) -> None:
    api = await stage.api()
    for slug in ("acme", "openai-community", "qwen"):
        await api.organization(slug)
    stage.hub.renamed["former/name"] = MODEL
    async with api.as_(await api.user_key("acme")) as member, api.as_(await api.user_key("qwen")) as its_own:
        for client in (member, its_own):
            for model in ("openai-community/gpt2", MODEL, "former/name"):
                refused(await launched(client, model=model), "/model", "coldstart models add")
        assert await catalogued(api) == set()
        assert (await api.client.post("/models", json={"model": MODEL})).status_code == 201
        assert (await launched(member, model=MODEL)).status_code == 202
    assert (await launched(api.client, model="openai-community/gpt2")).status_code == 202
    assert await catalogued(api) == {MODEL, "openai-community/gpt2"}


async def test_an_organisation_that_another_process_has_just_made_counts(stage: Stage) -> None:
    api = await stage.api()
    await api.organization("acme")
    async with api.as_(await api.user_key("acme")) as member:
        connection = await asyncpg.connect(stage.database_url)
        await connection.execute("ALTER TABLE organizations DISABLE TRIGGER announce")
        await connection.execute("INSERT INTO organizations (id, slug, name) VALUES (gen_random_uuid(), 'qwen', 'q')")
        await connection.execute("ALTER TABLE organizations ENABLE TRIGGER announce")
        await connection.close()
        refused(await launched(member), "/model")


async def test_a_model_that_was_removed_during_a_member_s_launch_does_not_come_back(stage: Stage) -> None:
    async with nats_proxy(stage.nats_url) as wire:
        api = await stage.api(nats_url=SecretStr(wire.url), router_staleness_seconds=30)
        for slug in ("acme", "qwen"):
            await api.organization(slug)
        model = (await api.client.post("/models", json={"model": MODEL})).json()["id"]

        async def removed(operation: Operation) -> bool:
            if operation.subject.endswith("InstanceRequested"):
                assert (await api.client.delete(f"/models/{model}")).status_code == 204
            return True

        async with api.as_(await api.user_key("acme")) as member:
            wire.to_server = removed
            assert (await launched(member)).status_code == 202
        assert await catalogued(api) == set()


async def test_a_gated_model_is_added_by_an_administrator_before_members_launch_it(stage: Stage) -> None:
    api = await stage.api(hf_token=SecretStr(HUB_TOKEN))
    await api.organization("acme")
    async with api.as_(await api.user_key("acme")) as member:
        refused(await launched(member, model=GATED), "/model", "HF_TOKEN", f"coldstart models add {GATED}")
        assert (await api.client.post("/models", json={"model": GATED})).status_code == 201
        for revision in ("refs/pr/7", "pr/7", "0e9e39f249a16976918f6564b8830bc894c89659", "ABCDEF0", "abcd"):
            refused(await launched(member, model=GATED, revision=revision), "/revision", "branch or tag")
        gated = await launched(member, model=GATED, revision="v1.0")
    plain = await launched(api.client, model=MODEL, revision="refs/pr/7")
    recorded = [(await stage.journal.load(one.json()["id"])).findings.gated for one in (gated, plain)]
    assert recorded == [True, False]


async def test_nobody_says_himself_whether_a_model_is_gated(stage: Stage) -> None:
    api = await stage.api()
    answer = await launched(api.client, gated=True)
    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (422, "/gated")


async def test_a_member_names_images_of_allowed_repositories_only_and_is_told_which(stage: Stage) -> None:
    api = await stage.api()
    await api.organization("acme")
    async with api.as_(await api.user_key("acme")) as member:
        before = await stage.last_sequence()
        for image in OTHERS_IMAGES:
            refused(await launched(member, image=image), "/image", "vllm/vllm-openai", "COLDSTART_ALLOWED_IMAGES")
        assert (await launched(member, image="vLLM/vllm-openai")).status_code == 422, "Docker takes no such name"
        assert await stage.last_sequence() == before
        assert (await launched(member, image="vllm/vllm-openai:nightly")).status_code == 202
    assert (await launched(api.client, image=OTHERS_IMAGES[0])).status_code == 202


async def test_an_administrator_is_warned_that_another_image_gets_no_token(stage: Stage) -> None:
    api = await stage.api(hf_token=SecretStr(HUB_TOKEN))
    told = [
        (await launched(api.client, model=model, image=image)).json()["warnings"]
        for model, image in ((GATED, "mine/vllm"), (GATED, "vllm/vllm-openai"), (GATED, None), (MODEL, "mine/vllm"))
    ]
    assert [sum("HF_TOKEN" in warning for warning in warnings) for warnings in told] == [1, 0, 0, 0]
    assert "gets no HF_TOKEN" in told[0][0]


async def test_a_repetition_keeps_what_was_admitted(stage: Stage) -> None:
    lenient = await stage.api(allowed_images=("mine/vllm",))
    await lenient.organization("acme")
    key = await lenient.user_key("acme")
    async with lenient.as_(key) as member:
        first = await launched(member, "key", image="mine/vllm:1")
    strict = await stage.api()
    async with strict.as_(key) as member:
        again = await launched(member, "key", image="mine/vllm:1")
        refused(await launched(member, image="mine/vllm:1"), "/image")
    assert (first.status_code, again.status_code) == (202, 202)
    assert again.json()["id"] == first.json()["id"]


@pytest.mark.parametrize("change", [{"code": "chat"}, {"code": "gpt2"}])
async def test_an_offering_that_is_refused_catalogues_nothing_either(stage: Stage, change: dict[str, str]) -> None:
    api = await stage.api()
    await api.organization("openai-community")
    await api.offering("openai-community", "chat", MODEL)
    body = {"model": "openai-community/gpt2", **change}
    assert (await api.client.post("/organizations/openai-community/offerings", json=body)).status_code == 409
    assert await catalogued(api) == {MODEL}
