"""Launches of an organisation within its limits, and refused past them with the figures."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from pydantic import SecretStr

from shared.offers.instance_types import InstanceType
from tests.api.stage import BODY, RunningApi, Stage
from tests.lifecycle import facts as f
from tests.nats_proxy import Operation, nats_proxy

L4 = InstanceType(name="L4-1-24G", zones=("fr-par-1", "fr-par-2"), gpus=1, hourly_price=0.75, currency="EUR")
H100 = InstanceType(name="H100-1-80G", zones=("fr-par-2",), gpus=1, hourly_price=2.73, currency="EUR")
FOR_ACME = BODY | {"organization": "acme"}


@pytest.fixture
async def api(stage: Stage) -> RunningApi:
    await stage.offer(L4, H100)
    return await stage.api()


async def launched(api: RunningApi, **more: Any) -> dict[str, Any]:
    answer = await api.client.post("/instances", json=FOR_ACME | more)
    assert answer.status_code == 202, answer.text
    return dict(answer.json())


async def refused(api: RunningApi, **more: Any) -> dict[str, Any]:
    answer = await api.client.post("/instances", json=FOR_ACME | more)
    assert (answer.status_code, answer.json()["code"]) == (403, "limit_reached"), answer.text
    return {
        name: answer.json().get(name) for name in ("limited_by", "limit", "used", "requested", "currency", "detail")
    }


async def test_no_more_instances_than_the_limit_also_while_the_read_model_shows_none(api: RunningApi) -> None:
    await api.organization("acme", max_instances=2)
    answers = await asyncio.gather(*(api.client.post("/instances", json=FOR_ACME) for _ in range(6)))
    assert sorted(answer.status_code for answer in answers) == [202, 202, *[403] * 4]
    figures = await refused(api)
    assert figures.pop("detail").startswith("It has 2 of at most 2 instances.")
    assert figures == {"limited_by": "max_instances", "limit": 2, "used": 2, "requested": 1, "currency": None}
    assert (await api.client.post("/instances", json=BODY)).status_code == 202, "of everybody"


async def test_an_ended_instance_makes_room(stage: Stage, api: RunningApi) -> None:
    await stage.projector()
    await api.organization("acme", max_instances=1)
    instance_id = UUID((await launched(api))["id"])
    await refused(api)
    ended = await stage.happened(f.provisioning_failed(), instance_id=instance_id)
    await api.projected(ended)
    await launched(api)


async def test_the_same_idempotency_key_is_no_further_launch(api: RunningApi) -> None:
    await api.organization("acme", max_instances=1)
    answers = [
        await api.client.post("/instances", json=FOR_ACME, headers={"Idempotency-Key": "once"}) for _ in range(2)
    ]
    assert [answer.status_code for answer in answers] == [202, 202]
    assert answers[0].json()["id"] == answers[1].json()["id"]


async def test_no_more_an_hour_than_the_limit(api: RunningApi) -> None:
    await api.organization("acme", spend_per_hour=3.5)
    await launched(api)
    await launched(api, instance_types=["H100-1-80G"])
    figures = await refused(api, instance_types="any")
    detail = figures.pop("detail")
    assert "cost 3.48 EUR an hour; with at least 0.75 for this one it would be 4.23, and its limit is 3.50." in detail
    assert figures == {
        "limited_by": "spend_per_hour",
        "limit": 3.5,
        "used": 3.48,
        "requested": 0.75,
        "currency": "EUR",
    }


async def test_exactly_the_limit_is_within_it(api: RunningApi) -> None:
    await api.organization("acme", spend_per_hour=2.25, max_instances=3)
    for _ in range(3):
        await launched(api)
    await refused(api)


async def test_of_any_type_none_is_dearer_than_what_is_left_of_the_hour(stage: Stage, api: RunningApi) -> None:
    await api.organization("acme", spend_per_hour=3.5)
    asked = FOR_ACME | {"instance_types": "any"}
    first = await api.client.post("/instances", json=asked, headers={"Idempotency-Key": "once"})
    second = await launched(api, instance_types="any")
    ceilings = [(await stage.journal.load(one["id"])).findings.max_hourly_price for one in (first.json(), second)]
    assert ceilings == [3.5, 0.77], "the first may become an H100"
    again = await api.client.post("/instances", json=asked, headers={"Idempotency-Key": "once"})
    assert (again.status_code, again.json()["id"]) == (202, first.json()["id"])
    assert (await refused(api, instance_types="any"))["used"] == 3.48


async def test_no_type_that_cannot_hold_the_weights_is_counted_with(stage: Stage, api: RunningApi) -> None:
    await stage.offer(*(kind.model_copy(update={"gpu_memory_gb": memory}) for kind, memory in ((L4, 24), (H100, 80))))
    await api.organization("acme", spend_per_hour=2.0)
    assert (await refused(api, model="Qwen/Qwen2.5-14B-Instruct", instance_types="any"))["requested"] == 2.73


async def test_an_organisation_that_may_spend_nothing_in_a_month_launches_nothing(api: RunningApi) -> None:
    await api.organization("acme", spend_per_month=0)
    figures = await refused(api)
    assert (figures["limit"], figures["used"]) == (0, 0)


async def test_nothing_more_in_a_month_whose_limit_is_spent(stage: Stage, api: RunningApi) -> None:
    await stage.projector()
    made = await api.organization("acme", spend_per_month=1.5)
    now = datetime.now(UTC)
    began = max(now - timedelta(hours=2, minutes=1), now.replace(day=1, hour=0, minute=0, second=0, microsecond=0))
    specification = f.a_specification(organization_id=made["id"])
    price = 1.5 / ((now - began) / timedelta(hours=1)) + 1
    instance = await stage.happened(
        f.instance_requested(specification=specification),
        f.instance_created(hourly_price=price),
        f.instance_started(occurred_at=began),
    )
    await api.projected(instance)
    figures = await refused(api)
    assert figures["detail"].startswith("It has spent ")
    assert (figures["limited_by"], figures["limit"], figures["currency"]) == ("spend_per_month", 1.5, "EUR")
    assert figures["used"] >= 1.5
    assert (await api.client.patch("/organizations/acme", json={"spend_per_month": None})).status_code == 200
    await launched(api)


async def test_what_another_organisation_has_does_not_count(api: RunningApi) -> None:
    for slug in ("acme", "globex"):
        await api.organization(slug, max_instances=1, spend_per_hour=0.75)
    await launched(api)
    assert (await api.client.post("/instances", json=BODY | {"organization": "globex"})).status_code == 202


async def test_an_organisation_with_a_launch_that_the_read_model_does_not_show_yet_is_in_use(api: RunningApi) -> None:
    await api.organization("acme")
    await launched(api)
    answer = await api.client.delete("/organizations/acme")
    assert (answer.status_code, answer.json()["code"]) == (409, "organization_in_use")


async def test_an_organisation_is_either_deleted_or_launches(stage: Stage, api: RunningApi) -> None:
    await api.organization("acme")
    launch, deletion = await asyncio.gather(
        api.client.post("/instances", json=FOR_ACME), api.client.delete("/organizations/acme")
    )
    assert (launch.status_code, deletion.status_code) in {(202, 409), (404, 204), (422, 204)}
    assert await stage.last_sequence() == (1 if launch.status_code == 202 else 0)


async def test_rights_are_judged_first_then_the_offers_then_the_fit_then_the_limits(stage: Stage) -> None:
    await stage.offer(L4.model_copy(update={"gpu_memory_gb": 24}))
    api = await stage.api()
    await api.organization("acme", max_instances=0)
    wrong: dict[str, Any] = {"image": "evil/vllm-openai", "zones": ["nowhere"], "model": "Qwen/Qwen2.5-72B-Instruct"}
    told = []
    async with api.as_(await api.user_key("acme")) as member:
        for mended in ("", *wrong):
            wrong.pop(mended, None)
            body = (await member.post("/instances", json=BODY | wrong)).json()
            told.append((body["code"], [error["pointer"] for error in body.get("errors", [])]))
    assert told == [
        ("launch_not_allowed", ["/image"]),
        ("invalid_request", ["/zones/0"]),
        ("invalid_request", ["/instance_types/0"]),
        ("limit_reached", []),
    ]


@pytest.mark.parametrize(("key", "loads"), [(None, 0), ("once", 1)])
async def test_a_launch_loads_its_instance_once_and_looks_up_the_offers_once(
    stage: Stage, key: str | None, loads: int
) -> None:
    await stage.offer(L4)
    async with nats_proxy(stage.nats_url) as wire:
        api = await stage.api(nats_url=SecretStr(wire.url), router_staleness_seconds=30)
        await api.organization("acme", max_instances=5, spend_per_hour=10.0, spend_per_month=100.0)
        asked: list[Operation] = []

        async def seen(operation: Operation) -> bool:
            asked.append(operation)
            return True

        async with api.as_(await api.user_key("acme")) as member:
            wire.to_server = seen
            answer = await member.post("/instances", json=BODY, headers={"Idempotency-Key": key} if key else {})
        assert answer.status_code == 202, answer.text
        of_it = answer.json()["id"].encode()
        assert sum(of_it in one.raw and b"last_by_subj" in one.raw for one in asked) == loads
        listed = [one for one in asked if "STREAM.INFO.KV_instance_types" in one.subject]
        assert sum(b"subjects_filter" in one.raw for one in listed) == 1
        assert sum(b"$KV.instance_types.scaleway" in one.raw for one in asked) == 1
