"""A failed launch is launched again with the same wishes, or with what would have worked."""

from typing import Any, Final
from uuid import UUID

import pytest

from services.api.admission.relaunch import relaunch
from shared.lifecycle.errors import IntentRefused
from shared.lifecycle.status import FAILURES, Status
from shared.offers.instance_types import InstanceType
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


def again(code: str, *offered: InstanceType, **wishes: Any) -> tuple[dict[str, Any], str]:
    """What is asked for differently, and what is said of it."""
    wish = f.a_specification(**(WISHES | wishes))
    facts = (f.instance_requested(specification=wish), f.instance_created(instance_type="L4-1-24G"))
    asked = relaunch(f.given(*facts, f.provisioning_failed(code=code)), offered or OFFERED)
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
