"""A launch is judged by what the model's repository holds, before anything is recorded."""

from typing import Any

import httpx
import pytest
from pydantic import SecretStr

from services.api.catalogue import cataloguing
from shared.offers.instance_types import InstanceType
from tests.api.fakes import HUB_TOKEN
from tests.api.stage import BODY, MODEL, RunningApi, Stage

LLAMA = "meta-llama/Llama-3.1-8B-Instruct"
SPEECH = "openai/whisper-large-v3"
IMAGE = "vllm/vllm-openai:v0.32.0"
L4 = InstanceType(
    name="L4-1-24G", zones=("fr-par-2",), gpus=1, gpu_memory_gb=24, image=IMAGE, hourly_price=0.8, currency="EUR"
)
H100 = L4.model_copy(update={"name": "H100-1-80G", "gpu_memory_gb": 80.0, "hourly_price": 2.9})


async def launched(api: RunningApi, **body: Any) -> httpx.Response:
    return await api.client.post("/instances", json={"model": MODEL, **body})


def refused(answer: httpx.Response, code: str, pointer: str, *words: str) -> None:
    assert (answer.status_code, answer.json()["code"]) == (422, code), answer.text
    (error,) = answer.json()["errors"]
    assert error["pointer"] == pointer
    assert not [word for word in words if word not in error["detail"]], error["detail"]


async def test_a_revision_that_the_repository_does_not_have_is_refused(stage: Stage) -> None:
    await stage.offer(L4)
    api = await stage.api()
    refused(await launched(api, revision="v9"), "invalid_request", "/revision", f"{MODEL} has no revision v9")
    assert await stage.last_sequence() == 0
    accepted = await launched(api, revision="v1.0")
    recorded = await stage.journal.load(accepted.json()["id"])
    commit = "7ae557604adf67be50417f59c2c2f167def9a775"
    assert (accepted.status_code, recorded.specification.revision, recorded.findings.commit) == (202, "v1.0", commit)


async def test_a_repository_that_vllm_cannot_load_is_refused_with_the_model_to_launch_instead(stage: Stage) -> None:
    api = await stage.api()
    await stage.offer(L4)
    gguf = await launched(api, model="ggml-org/gpt2-GGUF")
    refused(gguf, "model_not_servable", "/model", "only as GGUF files", "Launch openai-community/gpt2 instead.")
    assert await stage.last_sequence() == 0
    assert (await api.client.get("/models")).json()["items"] == []


async def test_no_other_way_into_the_catalogue_takes_what_every_launch_would_be_refused_for(stage: Stage) -> None:
    api = await stage.api()
    await api.organization("acme")
    await api.offering("acme", "chat", MODEL)
    gguf = {"model": "ggml-org/gpt2-GGUF"}
    for answer in (
        await api.client.post("/models", json=gguf),
        await api.client.post("/organizations/acme/offerings", json={"code": "small", **gguf}),
        await api.client.patch("/organizations/acme/offerings/chat", json=gguf),
    ):
        refused(answer, "model_not_servable", "/model", "only as GGUF files", "Launch openai-community/gpt2 instead.")
    speech = await api.client.post("/models", json={"model": SPEECH, "task": "generate"})
    refused(speech, "model_not_servable", "/model", "WhisperForConditionalGeneration", "cannot generate text")
    assert [one["model"] for one in (await api.client.get("/models")).json()["items"]] == [MODEL]


async def test_a_hub_that_does_not_answer_stops_no_launch_of_a_known_model_and_is_told(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cataloguing, "_PATIENCE_S", 30.0)  # on a busy machine the 500 comes late
    await stage.offer(L4)
    await (await stage.api()).client.post("/models", json={"model": MODEL})
    api = await stage.api()
    stage.hub.broken = 500
    accepted = await launched(api)
    assert accepted.status_code == 202, accepted.text
    (warning,) = accepted.json()["warnings"]
    unread = f"What the repository of {MODEL} holds was not checked."
    assert warning == f"{unread} The Hugging Face hub could not be asked: it answered 500."


async def test_a_task_that_the_hub_does_not_tell_may_be_said_and_vllm_must_do_it(stage: Stage) -> None:
    await stage.offer(L4)
    api = await stage.api()
    refused(await launched(api, model=SPEECH), "task_not_supported", "/model", "task generate, or embed")
    said = await launched(api, model=SPEECH, task="generate")
    refused(said, "model_not_servable", "/model", "WhisperForConditionalGeneration", "cannot generate text")
    assert (await api.client.get("/models")).json()["items"] == []


async def test_the_task_of_a_model_is_the_same_for_all_its_instances(stage: Stage) -> None:
    api = await stage.api()
    other = await launched(api, task="embed")
    refused(other, "invalid_request", "/task", "for the task generate", f"coldstart models add {MODEL} --task embed")
    added = await api.client.post("/models", json={"model": MODEL, "task": "embed"})
    assert (added.status_code, added.json()["task"]) == (201, "embed")
    accepted = await launched(api, **BODY, task="embed")
    assert (await stage.journal.load(accepted.json()["id"])).specification.task == "embed"


async def test_the_code_of_a_model_is_allowed_by_an_administrator_for_that_model(stage: Stage) -> None:
    await stage.offer(L4)
    api = await stage.api()
    await api.organization("acme")
    for allowed in (True, False):
        added = await api.client.post("/models", json={"model": MODEL, "trust_remote_code": allowed})
        assert added.json()["trust_remote_code"] is allowed
        again = await api.client.post("/models", json={"model": MODEL})
        assert again.json()["trust_remote_code"] is allowed, "it stays as it is"
        async with api.as_(await api.user_key("acme")) as member:
            body = {"model": MODEL, "trust_remote_code": True}
            assert (await member.post("/models", json=body)).status_code == 403
            assert (await member.post("/instances", json=body)).status_code == 422
            accepted = await member.post("/instances", json={"model": MODEL})
            anybody_s = await member.post("/instances", json={"model": MODEL, "revision": "refs/pr/7"})
        recorded = await stage.journal.load(accepted.json()["id"])
        assert recorded.findings.trust_remote_code is allowed
        assert anybody_s.status_code == (403 if allowed else 202), "anybody may propose code"


async def test_a_named_type_without_room_for_the_context_is_refused_with_a_context_that_has_room(stage: Stage) -> None:
    await stage.offer(L4, H100)
    api = await stage.api(hf_token=SecretStr(HUB_TOKEN))
    small = await launched(api, model=LLAMA, instance_types=["H100-1-80G", "L4-1-24G"])
    words = ("L4-1-24G has no room for a context of 131072 tokens", "Say --max-model-len ")
    refused(small, "invalid_request", "/instance_types/1", *words)
    assert await stage.last_sequence() == 0


async def test_any_type_is_one_that_has_room_for_the_context(stage: Stage) -> None:
    await stage.offer(L4, H100)
    api = await stage.api(hf_token=SecretStr(HUB_TOKEN))
    accepted = await launched(api, model=LLAMA)
    found = (await stage.journal.load(accepted.json()["id"])).findings
    assert (found.no_room, found.warnings) == (("L4-1-24G",), ())
    assert found.tensor_parallel_sizes == (1, 2, 4, 8, 16)
    await stage.offer(L4)
    refused(await launched(api, model=LLAMA), "invalid_request", "/instance_types", "L4-1-24G has no room")
    assert (await launched(api, model=LLAMA, vllm_args=["--max-model-len=16384"])).status_code == 202


async def test_each_type_is_told_whether_the_model_fits_with_how_long_a_context_and_how_often(stage: Stage) -> None:
    two = L4.model_copy(update={"name": "L4-2-24G", "gpus": 2, "hourly_price": 1.6})
    box = InstanceType(name="own", zones=("fr-par-2",), gpus=1)
    old = L4.model_copy(update={"name": "RENDER-S", "gpu": "P100", "hourly_price": 1.2})
    await stage.offer(H100, two, L4, box, old, InstanceType(name="DEV1-L", zones=("fr-par-2",)))
    api = await stage.api(hf_token=SecretStr(HUB_TOKEN))
    answer = await api.client.post("/models/fit", json={"model": LLAMA})
    assert answer.status_code == 200, answer.text
    told = answer.json()
    assert (told["commit"], told["why_not"]) == ("0e9e39f249a16976918f6564b8830bc894c89659", [])
    shown = [[one[key] for key in ("instance_type", "fits", "gpus", "context", "requests")] for one in told["items"]]
    assert shown == [
        ["L4-1-24G", "no", 1, 37_888, 1],
        ["RENDER-S", "no", 1, 37_888, 1],
        ["L4-2-24G", "yes", 2, 131_072, 1],
        ["H100-1-80G", "yes", 1, 131_072, 3],
        ["own", "unknown", 1, None, None],
    ]
    assert told["items"][0]["why"].startswith("L4-1-24G has no room for a context of 131072 tokens")
    assert told["items"][1]["why"].startswith("RENDER-S is unusable: its P100 has compute capability 6.0, and vLLM")
    assert (told["items"][0]["hourly_price"], told["items"][0]["currency"]) == (0.8, "EUR")
    shorter = await api.client.post("/models/fit", json={"model": LLAMA, "vllm_args": ["--max-model-len=8192"]})
    cheapest = shorter.json()["items"][0]
    assert (cheapest["fits"], cheapest["requests"]) == ("yes", 4)
    dropped = await api.client.post("/models/fit", json={"model": LLAMA, "vllm_args": ["--swap-space=4"]})
    (why_not,) = dropped.json()["why_not"]
    assert why_not.startswith("vLLM 0.32.0 has no --swap-space: ")
    nowhere = await api.client.post("/models/fit", json={"model": LLAMA, "provider": "nobody"})
    refused(nowhere, "invalid_request", "/provider", "nobody is not known; known are scaleway.")
    assert await stage.last_sequence() == 0


async def test_what_speaks_against_every_type_is_told_once(stage: Stage) -> None:
    await stage.offer(L4, H100)
    api = await stage.api()
    body = {"model": SPEECH, "task": "generate"}
    told = (await api.client.post("/models/fit", json=body)).json()
    assert len(told["why_not"]) == 1
    assert "cannot generate text" in told["why_not"][0]
    assert {(one["fits"], one["why"]) for one in told["items"]} == {("no", None)}
    await api.organization("acme")
    async with api.as_(await api.user_key("acme")) as member:
        assert (await member.post("/models/fit", json={"model": MODEL})).status_code == 200
