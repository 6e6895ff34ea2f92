"""A failed launch is launched again with the same wishes, or with what would have worked."""

from typing import Any, Final
from uuid import UUID

import pytest
from pydantic import SecretStr

from services.api.admission.relaunch import may_need_room, relaunch, room_of
from services.api.catalogue.hub.client import HubUnreachable
from services.api.catalogue.image_versions import ImageVersions
from shared.lifecycle.errors import IntentRefused
from shared.lifecycle.instance import Instance
from shared.lifecycle.status import FAILURES, Status
from shared.offers.instance_types import InstanceType
from tests.api.admission.shapes import LLAMA, a_repository
from tests.api.fakes import HUB_TOKEN
from tests.api.stage import MODEL, Stage
from tests.console.test_fleet import recent
from tests.lifecycle import facts as f
from tests.lifecycle import histories as h

L4: Final = InstanceType(name="L4-1-24G", zones=("fr-par-2",), gpus=1, gpu_memory_gb=24.0, hourly_price=0.8)
L40S: Final = L4.model_copy(update={"name": "L40S-1-48G", "gpu_memory_gb": 48.0, "hourly_price": 1.5})
H100: Final = L4.model_copy(update={"name": "H100-1-80G", "gpu_memory_gb": 80.0, "hourly_price": 2.9})
ELSEWHERE: Final = H100.model_copy(update={"name": "B300-1-288G", "zones": ("fr-par-1",)})
P100: Final = L40S.model_copy(update={"name": "RENDER-S", "gpu": "P100", "hourly_price": 0.1})
OFFERED: Final = (H100, ELSEWHERE, L4, P100, L40S)
WISHES: Final[dict[str, Any]] = {
    "zones": ("fr-par-2",),
    "instance_types": ("L4-1-24G",),
    "volume_gb": 300,
    "image": "vllm/vllm-openai:v0.32.0",
    "revision": "v1.0",
    "vllm_args": ("--max-model-len", "8192"),
    "keep_for_inspection": True,
    "max_lifetime": 86_400,
    "idle_shutdown": 1_800,
}


def failed_with(code: str, longest: int | None = None, **wishes: Any) -> Instance:
    wish = f.a_specification(**(WISHES | wishes))
    failure = f.startup_failed(code=code, longest_context=longest)
    return f.given(*h.a_starting_instance(**dict(wish)), failure)


def again(
    code: str, *offered: InstanceType, longest: int | None = None, room: int | None = None, **wishes: Any
) -> tuple[dict[str, Any], str]:
    """What is asked for differently, and what is said of it."""
    wish = f.a_specification(**(WISHES | wishes))
    asked = relaunch(failed_with(code, longest, **wishes), offered or OFFERED, room)
    body = asked.body.model_dump()
    before = {name: list(value) if isinstance(value, tuple) else value for name, value in dict(wish).items()}
    changed = {name: value for name, value in body.items() if name in before and value != before[name]}
    return changed, asked.mend or ""


def test_it_asks_for_the_same() -> None:
    assert again("bad_option") == ({}, "")
    assert again("unknown", instance_types=(), zones=()) == ({"instance_types": ["any"]}, "")


def test_what_was_out_of_stock_may_be_any_type_in_any_zone() -> None:
    changed, mend = again("out_of_stock")
    assert changed == {"instance_types": ["any"], "zones": []}
    assert mend == "What it was asked for is out of stock, so it may get any type that fits the model, in any zone."
    assert again("out_of_stock", instance_types=(), zones=())[1] == "", "it was any already"


@pytest.mark.parametrize("code", ["out_of_gpu_memory", "no_kv_cache_room"])
def test_what_was_too_small_becomes_a_larger_type_that_vllm_can_use_in_the_same_zones(code: str) -> None:
    changed, mend = again(code)
    assert changed == {"instance_types": ["L40S-1-48G", "H100-1-80G"]}, "the cheapest first"
    assert mend == "L4-1-24G is too small for it, so it may get a type with more GPU memory."
    assert again(code, L4) == ({}, ""), "there is no larger one"
    assert again(code, L40S) == ({}, ""), "nobody knows what the failed one has"


SHORTER: Final = "L4-1-24G has room for a context of 32768 tokens, so it asks for no more (--max-model-len 32768)."


@pytest.mark.parametrize(
    ("asked", "lowered"),
    [
        ((), ["--max-model-len=32768"]),
        (("--max-model-len", "131072", "--enforce-eager"), ["--enforce-eager", "--max-model-len=32768"]),
        (("--seed=7", "--max-model-len=40k"), ["--seed=7", "--max-model-len=32768"]),
    ],
)
def test_a_context_without_room_is_lowered_to_what_the_worker_said_has_room(
    asked: tuple[str, ...], lowered: list[str]
) -> None:
    changed, mend = again("no_kv_cache_room", longest=33_488, vllm_args=asked)
    assert (changed, mend) == ({"vllm_args": lowered}, SHORTER), "rounded down, since memory differs"


@pytest.mark.parametrize("code", ["no_kv_cache_room", "out_of_gpu_memory"])
def test_it_is_lowered_to_what_the_verdict_says_where_the_worker_said_nothing(code: str) -> None:
    assert again(code, room=33_488, vllm_args=()) == ({"vllm_args": ["--max-model-len=32768"]}, SHORTER)
    assert again("bad_option", room=33_488, vllm_args=()) == ({}, "")


@pytest.mark.parametrize("longest", [8_192, 1_023])
def test_a_context_that_is_as_short_already_or_would_be_useless_needs_a_larger_type(longest: int) -> None:
    changed, _ = again("no_kv_cache_room", longest=longest)
    assert changed == {"instance_types": ["L40S-1-48G", "H100-1-80G"]}


def test_a_context_that_is_longer_than_the_model_s_is_lowered_to_that() -> None:
    changed, mend = again("context_too_long", longest=2_047)
    assert changed == {"vllm_args": ["--max-model-len=2047"]}
    assert mend.endswith(" has a context of 2047 tokens at most, so it asks for no more (--max-model-len 2047).")
    assert again("context_too_long") == ({}, "")


def test_the_room_of_a_failed_launch_is_that_of_its_verdict() -> None:
    failed, llama = failed_with("no_kv_cache_room", vllm_args=()), a_repository(LLAMA, gb=16.1)
    assert may_need_room(failed)
    assert not may_need_room(failed_with("no_kv_cache_room", 33_488))
    assert not may_need_room(failed_with("bad_option"))
    assert room_of(failed, llama, OFFERED, ImageVersions()) == 37_888
    fits = failed_with("no_kv_cache_room", vllm_args=("--max-model-len", "16k"))
    assert room_of(fits, llama, OFFERED, ImageVersions()) is None, "by the verdict it has room, so nobody knows"
    assert room_of(failed, HubUnreachable("it is down"), OFFERED, ImageVersions()) is None
    assert room_of(failed, llama, (H100,), ImageVersions()) is None


@pytest.mark.parametrize("status", [status for status in Status if status not in FAILURES])
def test_only_a_failed_instance_is_launched_again(status: Status) -> None:
    with pytest.raises(IntentRefused, match="only a failed one can be relaunched"):
        relaunch(f.given(*h.IN_STATUS[status]), OFFERED)


async def test_it_is_judged_as_any_launch_and_says_first_what_it_asks_for_differently(stage: Stage) -> None:
    await stage.offer(L40S)
    api = await stage.api(projection_wait_seconds=0.001)
    failed = await stage.happened(*recent(h.a_failed_launch(model=MODEL, instance_types=("L4-1-24G",))))
    at = f"/instances/{failed.id}/relaunch"
    first, repeated = [await api.client.post(at, headers={"Idempotency-Key": "once"}) for _ in range(2)]
    assert (first.status_code, first.json()["status"]) == (202, "provisioning"), first.text
    assert first.json()["id"] == repeated.json()["id"] != str(failed.id)
    assert first.headers["location"] == f"/instances/{first.json()['id']}"
    assert repeated.headers["idempotency-replayed"] == "true"
    assert first.json()["warnings"][0].startswith("What it was asked for is out of stock, so it may get any type")
    recorded = await stage.journal.load(first.json()["id"])
    assert (recorded.specification.model, recorded.specification.instance_types) == (MODEL, ())
    refused = await api.client.post(f"/instances/{recorded.id}/relaunch")
    assert (refused.status_code, refused.json()["code"]) == (409, "intent_refused")


async def test_a_context_without_room_is_lowered_to_what_the_repository_leaves_room_for(stage: Stage) -> None:
    await stage.offer(L4)
    api = await stage.api(hf_token=SecretStr(HUB_TOKEN), projection_wait_seconds=0.001)
    launch = h.a_starting_instance(model="meta-llama/Llama-3.1-8B-Instruct", instance_types=(L4.name,))
    failed = await stage.happened(*recent((*launch, f.startup_failed(code="no_kv_cache_room"))))
    again = await api.client.post(f"/instances/{failed.id}/relaunch")
    assert again.status_code == 202, again.text
    assert again.json()["warnings"][0].startswith("L4-1-24G has room for a context of 33792 tokens, so it asks for no")
    recorded = await stage.journal.load(again.json()["id"])
    assert recorded.specification.vllm_args == ("--max-model-len=33792",)


async def test_it_stays_with_its_organisation(stage: Stage) -> None:
    await stage.offer(L4)
    api = await stage.api(projection_wait_seconds=0.001)
    await api.organization("acme")
    async with api.as_(await api.user_key("acme")) as member:
        asked = await member.post("/instances", json={"model": MODEL})
        failed = await stage.happened(f.provisioning_failed(), instance_id=UUID(asked.json()["id"]))
        for client in (member, api.client):
            again = await client.post(f"/instances/{failed.id}/relaunch")
            assert (again.status_code, again.json()["organization_id"]) == (202, asked.json()["organization_id"])
