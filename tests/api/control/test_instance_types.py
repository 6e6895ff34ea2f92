"""The instance types, as the provisioners published them."""

from datetime import UTC, datetime
from typing import Any

import pytest

from shared.offers.instance_types import InstanceType, InstanceTypes
from shared.offers.provider_status import ProviderStatus, ProviderStatuses
from tests.api.stage import BODY, MODEL, Stage

L4 = InstanceType(
    name="L4-1-24G",
    zones=("fr-par-2",),
    gpus=1,
    gpu="L4",
    gpu_memory_gb=24.0,
    vcpus=8,
    memory_gb=48.0,
    hourly_price=0.75,
    currency="EUR",
    availability={"fr-par-2": "scarce"},
)
OLD = InstanceType(
    name="RENDER-S", zones=("fr-par-1", "fr-par-2"), gpus=1, gpu="P100", gpu_memory_gb=16.0, hourly_price=0.1
)
BOX = InstanceType(name="own", zones=("own",), gpus=1)


async def test_every_type_is_listed_with_its_price_and_availability(stage: Stage) -> None:
    await stage.offer(L4)
    await InstanceTypes(stage.connection.jetstream(), replicas=1).publish("machines", (BOX,))
    api = await stage.api()
    listed = (await api.client.get("/instance-types")).json()["items"]
    assert [(item["provider"], item["name"]) for item in listed] == [("machines", "own"), ("scaleway", "L4-1-24G")]
    assert listed[1] == {"provider": "scaleway", "compute_capability": 8.9, "unusable": None} | L4.model_dump(
        mode="json"
    )
    only = (await api.client.get("/instance-types", params={"provider": "machines"})).json()["items"]
    assert [item["name"] for item in only] == ["own"]


@pytest.mark.parametrize("said", [{}, {"instance_types": "any"}])
async def test_with_one_provider_a_request_need_not_name_it_nor_a_type(stage: Stage, said: dict[str, Any]) -> None:
    jetstream = stage.connection.jetstream()
    await jetstream.delete_key_value("instance_types")
    await InstanceTypes(jetstream, replicas=1).publish("machines", (BOX,))
    api = await stage.api()
    accepted = await api.client.post("/instances", json={"model": MODEL, **said})
    assert accepted.status_code == 202, accepted.text
    recorded = (await stage.journal.load(accepted.json()["id"])).specification
    assert (recorded.provider, recorded.instance_types, recorded.zones) == ("machines", (), ())


async def test_nothing_is_listed_before_a_provisioner_has_told_anything(stage: Stage) -> None:
    await stage.connection.jetstream().delete_key_value("instance_types")
    api = await stage.api()
    assert (await api.client.get("/instance-types")).json() == {"items": [], "next_cursor": None, "providers": []}
    refused = await api.client.post("/instances", json=BODY)
    assert (refused.status_code, refused.json()["code"]) == (503, "instance_types_unknown")


async def test_who_asks_leaves_no_consumer_behind(stage: Stage) -> None:
    jetstream = stage.connection.jetstream()
    told = InstanceTypes(jetstream, replicas=1)
    assert set(await told.of_all()) == {"scaleway"}
    await told.keep_only(())
    assert await told.of_all() == {}
    assert (await jetstream.stream_info("KV_instance_types")).state.consumer_count == 0


async def test_a_provider_that_cannot_be_used_is_told_with_the_reason_and_the_next_try(stage: Stage) -> None:
    jetstream = stage.connection.jetstream()
    await jetstream.delete_key_value("instance_types")
    at = datetime(2026, 11, 29, 3, 0, tzinfo=UTC)
    status = ProviderStatus(provider="scaleway", reason="the API key is not accepted", since=at, next_try_at=at)
    statuses = ProviderStatuses(jetstream, replicas=1)
    await statuses.publish(status)
    api = await stage.api()
    told = (await api.client.get("/instance-types")).json()
    assert told["items"] == []
    assert told["providers"] == [status.model_dump(mode="json")]
    refused = await api.client.post("/instances", json=BODY)
    assert (refused.status_code, refused.json()["code"]) == (503, "instance_types_unknown")
    assert "the API key is not accepted" in refused.json()["detail"]
    await statuses.keep_only(())
    assert (await api.client.get("/instance-types")).json()["providers"] == []


async def test_a_gpu_that_vllm_cannot_use_is_listed_with_the_reason_and_refused_with_a_better_choice(
    stage: Stage,
) -> None:
    await stage.offer(L4, OLD)
    api = await stage.api()
    old = (await api.client.get("/instance-types")).json()["items"][1]
    reason = "its P100 has compute capability 6.0, and vLLM needs 7.5 or more"
    assert (old["compute_capability"], old["unusable"]) == (6.0, reason)
    for types, pointer in ((["RENDER-S"], "/instance_types/0"), (["L4-1-24G", "RENDER-S"], "/instance_types/1")):
        refused = await api.client.post("/instances", json={"model": MODEL, "instance_types": types})
        assert (refused.status_code, refused.json()["code"]) == (422, "invalid_request")
        detail = f"RENDER-S is unusable: {reason}. Choose L4-1-24G."
        assert refused.json()["errors"] == [{"pointer": pointer, "detail": detail}]
    assert await stage.last_sequence() == 0


async def test_any_type_is_refused_in_zones_whose_gpus_vllm_cannot_use(stage: Stage) -> None:
    await stage.offer(L4, OLD)
    api = await stage.api()
    refused = await api.client.post("/instances", json={"model": MODEL, "zones": ["fr-par-1"]})
    assert refused.status_code == 422, refused.text
    (error,) = refused.json()["errors"]
    assert error["pointer"] == "/zones"
    assert error["detail"].startswith("These zones have no GPU that vLLM can use: RENDER-S is unusable: its P100")


async def test_any_type_is_refused_in_zones_that_have_only_types_without_gpus(stage: Stage) -> None:
    await stage.offer(L4, InstanceType(name="DEV1-L", zones=("pl-waw-2",)))
    api = await stage.api()
    refused = await api.client.post("/instances", json={"model": MODEL, "zones": ["pl-waw-2"]})
    assert refused.status_code == 422, refused.text
    (error,) = refused.json()["errors"]
    assert error == {
        "pointer": "/zones",
        "detail": "A type with GPUs is offered in none of these zones. Choose another zone, or leave them out.",
    }
    named = await api.client.post(
        "/instances", json={"model": MODEL, "zones": ["pl-waw-2"], "instance_types": ["DEV1-L"]}
    )
    assert named.status_code == 202, named.text
