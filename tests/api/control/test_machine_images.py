"""Machine images over HTTP: who may make them, what is asked of the provisioner, and what is shown of them."""

from collections.abc import Awaitable, Callable
from typing import Any, Final
from uuid import uuid4

import pytest

from shared.lifecycle import events as e
from shared.lifecycle.instance import Instance
from tests.api.stage import MODEL, RunningApi, Stage, until
from tests.lifecycle import facts as f
from tests.lifecycle import histories as h

TYPE: Final = "L4-1-24G"


async def an_api(stage: Stage) -> RunningApi:
    await stage.offer()
    await stage.projector()
    return await stage.api(projection_wait_seconds=5.0)


async def begun(stage: Stage, api: RunningApi, **body: Any) -> Instance:
    answer = await api.client.post("/machine-images", json={"instance_type": TYPE, **body})
    assert answer.status_code == 202, answer.text
    return await stage.journal.load(answer.json()["build"])


async def listed(api: RunningApi) -> list[dict[str, Any]]:
    answer = await api.client.get("/machine-images")
    return list(answer.json()["items"])


async def shown(api: RunningApi, *states: str) -> None:
    async def so() -> bool:
        return [image["state"] for image in await listed(api)] == [*states]

    await until(so)


async def test_a_build_is_an_instance_that_will_never_serve(stage: Stage) -> None:
    api = await an_api(stage)
    build = await begun(stage, api, zone="fr-par-2", image="vllm/vllm-openai:v0.31.0")
    wish = build.specification
    assert (wish.purpose, wish.model, wish.name) == ("machine_image", "", f"machine image of {TYPE}")
    assert (wish.instance_types, wish.zones, wish.image) == ((TYPE,), ("fr-par-2",), "vllm/vllm-openai:v0.31.0")
    [image] = await listed(api)
    assert (image["state"], image["id"], image["instance_type"]) == ("building", None, TYPE)
    assert image["doing"] == "creating the server"


async def test_a_model_is_judged_as_for_a_launch_and_makes_the_disk_larger(stage: Stage) -> None:
    api = await an_api(stage)
    plain, with_model = await begun(stage, api), await begun(stage, api, model=MODEL)
    assert with_model.specification.model == MODEL
    assert with_model.specification.volume_gb >= plain.specification.volume_gb
    refused = await api.client.post("/machine-images", json={"instance_type": TYPE, "model": "nobody/has-this"})
    assert refused.status_code == 422


async def test_options_of_vllm_are_for_the_model_that_is_compiled_with_them(stage: Stage) -> None:
    api = await an_api(stage)
    build = await begun(stage, api, model=MODEL, vllm_args=["--max-model-len=8192"])
    assert build.specification.vllm_args == ("--max-model-len=8192",)
    assert [(image["vllm_args"], image["warmed"]) for image in await listed(api)] == [(["--max-model-len=8192"], None)]


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"vllm_args": ["--max-model-len=8192"]}, "/vllm_args"),
        ({"model": MODEL, "vllm_args": ["--host=0.0.0.0"]}, "/vllm_args/0"),
        ({"revision": "v1.1"}, "/revision"),
        ({"instance_type": "X1"}, "/instance_type"),
        ({"instance_type": "X1", "model": MODEL}, "/instance_type"),
        ({"zone": "mars-1"}, "/zone"),
        ({"instance_type": "H100-1-80G", "zone": "fr-par-1"}, "/zone"),
        ({"provider": "nobody"}, "/provider"),
    ],
)
async def test_what_is_not_offered_is_refused(stage: Stage, body: dict[str, Any], pointer: str) -> None:
    api = await an_api(stage)
    answer = await api.client.post("/machine-images", json={"instance_type": TYPE, **body})
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["pointer"] == pointer
    assert answer.json()["detail"].startswith(f"{pointer}: ")
    assert not await listed(api)


async def test_a_build_counts_against_its_organisation(stage: Stage) -> None:
    api = await an_api(stage)
    await api.organization("acme", max_instances=1)
    build = await begun(stage, api, organization="acme")
    assert build.specification.organization_id is not None
    refused = await api.client.post("/machine-images", json={"instance_type": TYPE, "organization": "acme"})
    assert (refused.status_code, refused.json()["code"]) == (403, "limit_reached")


async def test_only_administrators_make_list_or_delete_them(stage: Stage) -> None:
    api = await an_api(stage)
    await api.organization("acme")
    async with api.as_(await api.user_key("acme")) as client:
        assert (await client.get("/machine-images")).status_code == 403
        assert (await client.post("/machine-images", json={"instance_type": TYPE})).status_code == 403
        assert (await client.delete("/machine-images/one")).status_code == 403


async def test_an_image_is_shown_with_its_age_and_cost_until_it_is_deleted(stage: Stage) -> None:
    api = await an_api(stage)
    stored = f.machine_image_stored(monthly_price=4.8, currency="EUR", model=MODEL, commit="a" * 40)
    build = await stage.happened(*h.a_sealed_machine(), stored, f.instance_terminated())
    await shown(api, "available")
    [image] = await listed(api)
    assert (image["id"], image["build"], image["model"]) == (f.IMAGE, str(build.id), MODEL)
    assert (image["monthly_price"], image["currency"], image["size_gb"]) == (4.8, "EUR", 60)
    await stage.happened(f.machine_image_deleted(), instance_id=build.id)
    await shown(api)


@pytest.mark.parametrize(
    ("warmed", "reason", "doing"),
    [(True, None, ""), (False, "no room", "without what vLLM compiles: no room"), (None, None, "")],
)
async def test_an_image_shows_whether_its_model_was_run(
    stage: Stage, warmed: bool | None, reason: str | None, doing: str
) -> None:
    api = await an_api(stage)
    stored = f.machine_image_stored(model=MODEL, commit="a" * 40, warmed=warmed, not_warmed_because=reason)
    await stage.happened(*h.a_sealed_machine(), stored, f.instance_terminated())
    await shown(api, "available")
    [image] = await listed(api)
    assert (image["warmed"], image["doing"]) == (warmed, doing)


async def test_an_image_names_the_launches_that_need_it_until_their_machines_answer(stage: Stage) -> None:
    api = await an_api(stage)
    for stored in (f.machine_image_stored(image_id="another"), f.machine_image_stored()):
        await stage.happened(*h.a_sealed_machine(), stored, f.instance_terminated())
    await shown(api, "available", "available")
    request, chosen = f.instance_requested(specification=f.a_specification(name="chat")), f.machine_image_chosen()
    launch = await stage.happened(request, chosen)

    async def users() -> list[str]:
        used = {image["id"]: image["in_use_by"] for image in await listed(api)}
        assert used["another"] == []
        return [user["name"] for user in used[f.IMAGE] if user["id"] == str(launch.id)]

    await until(lambda: named(users, ["chat"]))
    retired = (await api.client.delete(f"/machine-images/{f.IMAGE}")).json()
    assert [user["name"] for user in retired["in_use_by"]] == ["chat"]
    await stage.happened(*h.a_launch()[1:], instance_id=launch.id)
    await until(lambda: named(users, []))


async def named(asking: Callable[[], Awaitable[list[str]]], names: list[str]) -> bool:
    return await asking() == names


async def test_the_list_says_how_much_of_the_stream_it_is_made_of(stage: Stage) -> None:
    api = await an_api(stage)
    await stage.happened(*h.a_stored_image())
    last = await stage.last_sequence()
    await shown(api, "available")

    async def reached() -> bool:
        seen = (await api.client.get("/machine-images")).headers["last-event-id"]
        return int(seen.rpartition("-")[2]) >= last

    await until(reached)


async def test_a_build_that_failed_says_why_until_it_is_put_away(stage: Stage) -> None:
    api = await an_api(stage)
    failed = f.startup_failed(code="quota_exceeded", message="No snapshot more than 5.")
    build = await stage.happened(*h.a_sealed_machine(), failed, f.resources_released())
    await shown(api, "failed")
    assert (await listed(api))[0]["doing"] == "quota_exceeded: No snapshot more than 5."
    assert (await api.client.post(f"/instances/{build.id}/archive")).status_code == 202
    await shown(api)


async def test_an_image_is_retired_when_somebody_deletes_it_however_often(stage: Stage) -> None:
    api = await an_api(stage)
    build = await stage.happened(*h.a_sealed_machine(), f.machine_image_stored(), f.instance_terminated())
    await shown(api, "available")
    for _ in range(2):
        answer = await api.client.delete(f"/machine-images/{f.IMAGE}")
        assert (answer.status_code, answer.json()["state"]) == (202, "retired")
    history = [each.event async for each in stage.journal.history(build.id)]
    assert [event.reason for event in history if isinstance(event, e.MachineImageRetired)] == ["requested"]


async def test_an_image_that_nobody_knows_cannot_be_deleted(stage: Stage) -> None:
    api = await an_api(stage)
    answer = await api.client.delete(f"/machine-images/{uuid4()}")
    assert (answer.status_code, answer.json()["code"]) == (404, "machine_image_not_found")
