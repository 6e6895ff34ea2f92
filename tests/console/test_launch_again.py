"""A failed instance is launched again from the form, which has its wishes."""

import asyncio
import re
from typing import Any, Final
from uuid import UUID

from playwright.async_api import Page, Route, expect

from services.api.admission.launch_body import InstanceBody
from shared.lifecycle.instance import Instance
from shared.lifecycle.wish import Wish
from tests.api.stage import MODEL, RunningApi, Stage
from tests.console.conftest import Window
from tests.console.test_launch import L4, L40S
from tests.console.test_pages import complaints
from tests.lifecycle import facts as f
from tests.lifecycle import histories as h

ASKED: Final[dict[str, Any]] = {
    "name": "evening",
    "model": MODEL,
    "instance_types": ["L40S-1-48G", "L4-1-24G"],
    "zones": ["fr-par-2", "fr-par-1"],
    "revision": "main",
    "image": "vllm/vllm-openai:v0.32.0",
    "vllm_args": ["--max-model-len=8192", "--dtype", "half"],
    "volume_gb": 300,
    "max_lifetime": 5400,
    "idle_shutdown": 1800,
    "keep_for_inspection": True,
    "task": "generate",
    "organization": "acme",
}
"""Every field of a launch but the provider, of which there is one."""


async def failed(stage: Stage, api: RunningApi, **asked: Any) -> Instance:
    launched = await api.client.post("/instances", json=asked)
    assert launched.status_code == 202, launched.text
    instance_id = UUID(launched.json()["id"])
    return await stage.happened(*h.a_failed_launch()[1:], instance_id=instance_id)


async def running(stage: Stage) -> RunningApi:
    await stage.offer(L4, L40S)
    await stage.projector()
    return await stage.api(projection_wait_seconds=5.0)


async def launched_again(page: Page) -> None:
    await page.get_by_role("link", name="Launch again, with changes").click()
    await expect(page.get_by_role("button", name="Launch", exact=True)).to_be_enabled()


def test_every_field_of_a_launch_is_among_the_wishes() -> None:
    assert set(ASKED) == set(InstanceBody.model_fields) - {"provider"}


async def test_the_form_has_all_wishes_of_the_one_that_failed(stage: Stage, window: Window) -> None:
    api = await running(stage)
    await api.organization("acme")
    before = await failed(stage, api, **ASKED)
    page = await window.open(api, f"/console/instances/{before.id}")
    await launched_again(page)
    await expect(page.get_by_label("A single machine")).to_be_checked()
    await expect(page.get_by_label("Ends after", exact=True)).to_have_value("90")
    await page.get_by_role("button", name="Launch", exact=True).click()
    await expect(page).to_have_url(re.compile("/console/instances/(?!.*again)"))
    after = await stage.journal.load(UUID(page.url.rpartition("/")[2]))
    assert after.id != before.id
    assert Wish.model_validate(after.specification.model_dump()) == before.specification


async def test_what_was_typed_meanwhile_stays(stage: Stage, window: Window) -> None:
    api = await running(stage)
    before = await failed(stage, api, model=MODEL, name="evening")
    page = await window.open(api, "/console/keys")
    typed = asyncio.Event()

    async def late(route: Route) -> None:
        await typed.wait()
        await route.continue_()

    await page.route("**/timeline?*", late)
    await page.goto(f"{api.url}/console/launch?as=machine&again={before.id}")
    await page.get_by_label("Name").fill("morning")
    typed.set()
    await expect(page.get_by_role("button", name="Launch", exact=True)).to_be_enabled()
    await expect(page.get_by_label("Name")).to_have_value("morning")
    await expect(page.get_by_label("Model")).to_have_value("")


async def test_a_member_has_the_wishes_of_its_own_and_of_no_other(stage: Stage, window: Window) -> None:
    window.forgives = "status of 404"
    api = await running(stage)
    await api.organization("acme")
    own, foreign = [
        await failed(stage, api, model=MODEL, name=name, **more)
        for name, more in (("own", {"organization": "acme"}), ("foreign", {}))
    ]
    page = await window.open(api, f"/console/launch?as=machine&again={own.id}", key=await api.user_key("acme"))
    await expect(page.get_by_label("Name")).to_have_value("own")
    await page.goto(f"{api.url}/console/launch?as=machine&again={foreign.id}")
    await expect(page.locator("#problem")).to_contain_text("There is no such instance")
    await expect(page.get_by_label("Name")).to_have_value("")


async def test_a_build_that_failed_is_asked_for_again_on_its_own_form(stage: Stage, window: Window) -> None:
    api = await running(stage)
    body = {"instance_type": "L4-1-24G", "zone": "fr-par-1", "model": MODEL, "vllm_args": ["--max-model-len=8192"]}
    begun = await api.client.post("/machine-images", json=body)
    build = await stage.happened(f.provisioning_failed(), instance_id=UUID(begun.json()["build"]))
    page = await window.open(api, f"/console/instances/{build.id}")
    await page.get_by_role("link", name="Launch again, with changes").click()
    await expect(page.get_by_label("L4-1-24G")).to_be_checked()
    await expect(page.get_by_label("fr-par-1")).to_be_checked()
    await expect(page.get_by_label("Model")).to_have_value(MODEL)
    await expect(page.get_by_label("More options of vLLM")).to_have_value("--max-model-len=8192")
    assert await complaints(page) == []
    await page.get_by_role("button", name="Build").click()
    await expect(page).to_have_url(re.compile("/console/machine-images$"))


async def test_only_what_failed_is_launched_again(stage: Stage, window: Window) -> None:
    api = await stage.api()
    instance = await stage.happened(*h.a_ready_instance(), f.health_lost())
    page = await window.open(api, f"/console/instances/{instance.id}")
    await expect(page.locator("#events > li")).to_have_count(instance.version)
    await expect(page.get_by_role("link", name="Launch again")).to_be_hidden()
