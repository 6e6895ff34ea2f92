"""What is chosen on a page before its script has come stays."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from playwright.async_api import Page, Route, expect

from tests.api.stage import Stage
from tests.console.conftest import Window


@asynccontextmanager
async def script_on_its_way(stage: Stage, window: Window, path: str, script: str) -> AsyncGenerator[Page]:
    """The page without its own script, which comes when the block ends."""
    api = await stage.api()
    page = await window.open(api, "/console/keys")
    go = asyncio.Event()

    async def late(route: Route) -> None:
        await go.wait()
        await route.continue_()

    await page.route(f"**/{script}*", late)
    await page.goto(api.url + path, wait_until="commit")
    yield page
    go.set()
    await page.wait_for_load_state("load")


async def test_a_single_machine_is_still_what_is_launched(stage: Stage, window: Window) -> None:
    async with script_on_its_way(stage, window, "/console/launch", "launch.js") as page:
        await page.get_by_label("A single machine").check()
    await expect(page.get_by_role("button", name="Launch", exact=True)).to_be_visible()
    assert await page.get_by_label("A single machine").is_checked()


async def test_the_address_says_what_is_launched_until_somebody_chooses(stage: Stage, window: Window) -> None:
    async with script_on_its_way(stage, window, "/console/launch?as=machine", "launch.js") as page:
        assert await page.get_by_label("A single machine").is_checked()
        await page.get_by_label("A deployment").check()
    await expect(page.get_by_role("button", name="Deploy", exact=True)).to_be_visible()


async def test_a_filter_of_the_fleet_stays(stage: Stage, window: Window) -> None:
    async with script_on_its_way(stage, window, "/?text=left", "fleet.js") as page:
        text = page.get_by_role("searchbox")
        await text.fill("right")
    await expect(text).to_have_value("right")


async def test_a_filter_of_the_events_stays(stage: Stage, window: Window) -> None:
    async with script_on_its_way(stage, window, "/console/events?type=InstanceReady", "events.js") as page:
        await page.get_by_label("Type", exact=True).select_option("HealthPassed")
    await expect(page.get_by_label("Type", exact=True)).to_have_value("HealthPassed")


async def test_a_period_stays(stage: Stage, window: Window) -> None:
    async with script_on_its_way(stage, window, "/console/usage?period=month", "usage.js") as page:
        await page.get_by_label("7 days").check()
    await expect(page.get_by_label("7 days")).to_be_checked()
