"""A provider that cannot be used: the bar on every page. What only limits it: on the page from which one launches."""

import asyncio
import re
import shutil
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

import pytest
from playwright.async_api import Page, expect

from shared.observation import SUBJECT, Doubt
from shared.offers.provider_status import ProviderCheck, ProviderStatus, ProviderStatuses
from tests.api.stage import Stage
from tests.console.conftest import Window
from tests.console.test_pages import complaints
from tests.lifecycle import histories as h

AT = datetime(2026, 11, 29, 3, 0, tzinfo=UTC)
WELL = ProviderStatus(provider="scaleway", since=AT)
REFUSED = WELL.model_copy(update={"reason": "the API key is not accepted", "next_try_at": AT})
HOSTILE = REFUSED.model_copy(update={"reason": "<img src=x onerror=alert(1)>\nall is well", "next_try_at": None})


LIMITED = WELL.model_copy(
    update={
        "checks": (
            ProviderCheck.passed("credentials", "the API key is accepted"),
            ProviderCheck.limited("quota", "it is 0 for H100-1-80G: <i>verify</i>"),
        )
    }
)
PAGES = ("/", *(f"/console/{name}" for name in ("launch", "playground", "events", "usage", "organizations", "keys")))


def told(stage: Stage) -> ProviderStatuses:
    """What the provisioner tells."""
    return ProviderStatuses(stage.connection.jetstream(), replicas=1)


async def look_again(page: Page) -> None:
    """The pages ask every fifteen seconds, and at once when they are looked at again."""
    await page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")


async def test_the_fleet_says_why_a_provider_cannot_be_used_until_it_can(stage: Stage, window: Window) -> None:
    await told(stage).publish(REFUSED)
    page = await window.open(await stage.api(), timezone_id="Asia/Tokyo", viewport={"width": 360, "height": 740})
    bar = page.locator("#clouds")
    await expect(bar).to_have_text(
        re.compile(
            r"^scaleway has been unusable since .*12:00.*: the API key is not accepted\. The next try is at .*12:00"
        )
    )
    assert await complaints(page) == []
    assert await page.evaluate("document.documentElement.scrollWidth") <= 360
    await told(stage).publish(HOSTILE)
    await look_again(page)
    await expect(bar).to_contain_text("<img src=x onerror=alert(1)>")
    assert await bar.locator("*").count() == 0
    await told(stage).publish(WELL)
    await look_again(page)
    await expect(bar).to_be_hidden()


async def test_the_form_says_it_before_anything_is_asked_for(stage: Stage, window: Window) -> None:
    await stage.connection.jetstream().delete_key_value("instance_types")
    await told(stage).publish(REFUSED)
    page = await window.open(await stage.api(), "/console/launch?as=machine")
    await expect(page.locator("#clouds")).to_contain_text("scaleway has been unusable since")
    await expect(page.locator("#types")).to_contain_text("not known while the provider is unusable")
    assert await complaints(page) == []


async def test_every_page_says_it(stage: Stage, window: Window) -> None:
    await told(stage).publish(REFUSED)
    await stage.projector()
    api = await stage.api()
    instance = await stage.happened(*h.a_ready_instance())
    await api.projected(instance)
    await api.organization("acme")
    page = await window.open(api)
    for path in (*PAGES, f"/console/instances/{instance.id}", "/console/organizations/acme"):
        await page.goto(f"{api.url}{path}")
        await expect(page.locator("#clouds")).to_contain_text("the API key is not accepted")


async def test_a_health_service_that_doubts_itself_is_told_of_beside_the_providers(
    stage: Stage, window: Window
) -> None:
    await told(stage).publish(REFUSED)
    page = await window.open(await stage.api())
    doubt = Doubt(observer=uuid4(), since=AT, silent_workers=5)
    await stage.connection.publish(SUBJECT, doubt.model_dump_json().encode())
    bar = page.locator("#clouds")
    await expect(bar).to_contain_text("the API key is not accepted")
    await look_again(page)
    await expect(bar).to_contain_text(doubt.warning)
    await expect(bar).to_contain_text("the API key is not accepted")
    await told(stage).publish(WELL)
    await stage.connection.publish(SUBJECT, doubt.model_copy(update={"silent_workers": 0}).model_dump_json().encode())
    await look_again(page)
    await expect(bar).to_be_hidden()
    assert await complaints(page) == []


async def test_what_limits_a_provider_is_said_where_one_launches_and_only_there(stage: Stage, window: Window) -> None:
    await told(stage).publish(LIMITED)
    page = await window.open(await stage.api(), "/console/launch?as=machine")
    limits = page.locator("#limits")
    await expect(limits).to_have_text("scaleway, quota: it is 0 for H100-1-80G: <i>verify</i>.")
    await expect(page.locator("#clouds")).to_be_hidden()
    assert await complaints(page) == []


async def test_a_disk_that_runs_full_is_a_warning_on_every_page(
    stage: Stage, window: Window, monkeypatch: pytest.MonkeyPatch
) -> None:
    free = [4.0]
    monkeypatch.setattr("shared.store_space.EVERY_S", 0.01)
    monkeypatch.setattr(
        "shared.store_space.shutil.disk_usage", lambda _: shutil._ntuple_diskusage(100 * 10**9, 0, int(free[0] * 1e9))
    )
    page = await window.open(await stage.api(store_folders={"nats": Path("/nats")}))
    bar = page.locator("#clouds")

    async def shown(text: str) -> None:
        async with asyncio.timeout(120):
            while await bar.inner_text() != text:
                await look_again(page)

    await shown("Space is running low on the disk of NATS: 4.0 GB of 100.0 GB are free.")
    free[0] = 0.5
    await shown(
        "Nothing can be launched, since there is no space left on the disk of NATS: 500 MB of 100.0 GB are free."
    )
    await page.goto(page.url + "console/usage")
    await expect(bar).to_contain_text("there is no space left on the disk of NATS")
    free[0] = 50.0
    await shown("")
    await expect(bar).to_be_hidden()
