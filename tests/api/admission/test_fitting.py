"""Asking for an instance whose GPUs are too small, or hardly large enough."""

from shared.offers.instance_types import InstanceType
from tests.api.catalogue.test_catalogue import catalogued_before_figures_were_kept, figures
from tests.api.stage import BODY, MODEL, Stage

LARGE = "Qwen/Qwen2.5-72B-Instruct"
TIGHT = "Qwen/Qwen2.5-14B-Instruct"
L4 = InstanceType(name="L4-1-24G", zones=("fr-par-2",), gpus=1, gpu_memory_gb=24)
TWO_L4 = InstanceType(name="L4-2-24G", zones=("fr-par-2",), gpus=2, gpu_memory_gb=24)
FOUR_L40S = InstanceType(name="L40S-4-48G", zones=("fr-par-2",), gpus=4, gpu_memory_gb=48)
KEY = {"Idempotency-Key": "deploy-7"}


async def test_a_type_that_cannot_hold_the_weights_is_refused_before_anything_is_recorded(stage: Stage) -> None:
    await stage.offer(L4, TWO_L4, FOUR_L40S)
    api = await stage.api()
    wanted = {"model": LARGE, "instance_types": ["L40S-4-48G", "L4-1-24G"]}
    refused = await api.client.post("/instances", json=wanted)
    assert (refused.status_code, refused.json()["code"]) == (422, "invalid_request")
    (error,) = refused.json()["errors"]
    assert error["pointer"] == "/instance_types/1"
    assert "145.4 GB" in error["detail"]
    assert "24 GB (1 × 24 GB)" in error["detail"]
    assert await stage.last_sequence() == 0


async def test_any_type_is_refused_only_when_none_can_hold_the_weights(stage: Stage) -> None:
    await stage.offer(L4, TWO_L4)
    api = await stage.api()
    wanted = {"model": LARGE, "instance_types": "any"}
    refused = await api.client.post("/instances", json=wanted)
    assert refused.status_code == 422
    assert [error["pointer"] for error in refused.json()["errors"]] == ["/instance_types"]
    await stage.offer(L4, FOUR_L40S)
    accepted = await api.client.post("/instances", json=wanted | {"vllm_args": ["--tensor-parallel-size=4"]})
    assert accepted.status_code == 202, accepted.text
    assert accepted.json()["warnings"] == []
    recorded = await stage.journal.load(accepted.json()["id"])
    assert (recorded.specification.instance_types, recorded.findings.gpu_memory_gb) == ((), 145.412)


async def test_what_most_likely_will_not_do_is_accepted_with_a_warning_each_time(stage: Stage) -> None:
    await stage.offer(L4, TWO_L4)
    api = await stage.api()
    wanted = {"model": TIGHT, "instance_types": ["L4-2-24G"], "vllm_args": ["--tensor-parallel-size=1"]}
    first, again = [await api.client.post("/instances", json=wanted, headers=KEY) for _ in range(2)]
    assert (first.status_code, again.status_code) == (202, 202)
    (warning,) = first.json()["warnings"]
    assert (await stage.journal.load(first.json()["id"])).findings.warnings == (warning,)
    assert "vLLM may use 21.6 GB (1 × 90% of 24 GB), the weights take 29.5 GB" in warning
    moment = {"eta": None, "as_of": None}
    assert again.json() | moment == first.json() | moment
    assert "warnings" not in (await api.client.get(first.headers["location"])).json()


async def test_a_repetition_is_the_same_request_although_the_model_was_measured_in_between(stage: Stage) -> None:
    await catalogued_before_figures_were_kept(stage, await stage.api())
    stage.hub.broken = 500
    unmeasured = await stage.api()
    first = await unmeasured.client.post("/instances", json=BODY, headers=KEY)
    assert (await stage.journal.load(first.json()["id"])).findings.gpu_memory_gb is None
    stage.hub.broken = None
    again = await unmeasured.client.post("/instances", json=BODY, headers=KEY)
    assert (again.status_code, again.json()["id"]) == (202, first.json()["id"])
    assert None not in await figures(unmeasured)


OLD_IMAGE, NEW_IMAGE = "vllm/vllm-openai:v0.13.0", "vllm/vllm-openai:v0.32.0"


async def test_an_option_that_the_worker_would_refuse_is_refused_before_anything_is_recorded(stage: Stage) -> None:
    await stage.offer(L4.model_copy(update={"image": NEW_IMAGE}))
    api = await stage.api()
    wanted = {"model": MODEL, "vllm_args": ["--enforce-eager", "--swap-space=4"]}
    refused = await api.client.post("/instances", json=wanted)
    assert (refused.status_code, refused.json()["code"]) == (422, "invalid_request")
    (error,) = refused.json()["errors"]
    assert error["pointer"] == "/vllm_args/1"
    assert error["detail"].startswith("vLLM 0.32.0 has no --swap-space: 0.18.0 removed it.")
    assert await stage.last_sequence() == 0
    accepted = await api.client.post("/instances", json={**wanted, "image": OLD_IMAGE})
    assert accepted.status_code == 202, accepted.text
    (warning,) = accepted.json()["warnings"]
    assert warning.startswith("vllm/vllm-openai:v0.13.0: vLLM 0.13.0 has known security holes (CVE-2026-22807, ")


async def test_a_reinstall_is_refused_where_the_image_of_today_has_dropped_an_option_of_the_launch(
    stage: Stage,
) -> None:
    api = await stage.api()
    await stage.offer(L4.model_copy(update={"image": OLD_IMAGE}))
    instance = await stage.ready("127.0.0.9", vllm_args=("--swap-space=4",))
    await stage.offer(L4.model_copy(update={"image": NEW_IMAGE}))
    refused = await api.client.post(f"/instances/{instance.id}/reinstall")
    assert (refused.status_code, refused.json()["code"]) == (409, "intent_refused")
    assert "vLLM 0.32.0 has no --swap-space: 0.18.0 removed it." in refused.json()["detail"]
    assert refused.json()["detail"].endswith("An instance keeps its model and its options: create another one.")
    await stage.offer(L4.model_copy(update={"image": OLD_IMAGE}))
    assert (await api.client.post(f"/instances/{instance.id}/reinstall")).status_code == 202


async def test_a_reinstall_reads_the_repository_that_it_would_load(stage: Stage) -> None:
    await stage.offer(L4.model_copy(update={"image": NEW_IMAGE}))
    api = await stage.api()
    instance = await stage.ready("127.0.0.9", model="openai/whisper-large-v3")
    refused = await api.client.post(f"/instances/{instance.id}/reinstall")
    assert (refused.status_code, refused.json()["code"]) == (409, "intent_refused")
    assert "(WhisperForConditionalGeneration) cannot generate text with vLLM." in refused.json()["detail"]


async def test_the_memory_that_vllm_uses_is_that_of_its_version(stage: Stage) -> None:
    await stage.offer(TWO_L4.model_copy(update={"image": NEW_IMAGE}))
    api = await stage.api()
    accepted = await api.client.post("/instances", json={"model": TIGHT, "vllm_args": ["--tensor-parallel-size=1"]})
    (warning,) = accepted.json()["warnings"]
    assert "vLLM may use 22.1 GB (1 × 92% of 24 GB)" in warning
