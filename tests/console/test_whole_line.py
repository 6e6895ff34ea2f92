"""From the form to an answer and to the end, in a browser, with every service and a simulated cloud behind it."""

import re
from collections.abc import AsyncGenerator
from pathlib import Path

import httpx
import pytest
from playwright.async_api import Page, expect

from coldstart.demo import alone
from coldstart.stack.stack import Stack, stack
from simulator.scenario import Scenario
from tests.console.conftest import Window
from tests.console.test_fleet import stayed, stays

pytestmark = pytest.mark.timeout(120)
MODEL = "Qwen/Qwen2.5-0.5B-Instruct"
UNHURRIED = Scenario(
    create=0.2, boot_volume=0.3, volume_update=0.3, poweron=0.4, address=0.8, ssh_up=0.4, image_pull=0.8, model_load=1.5
)
NOTE_WHAT_THE_BAR_SHOWS = """() => {
  window.shown = [];
  const bar = document.getElementById("bar");
  const note = () => window.shown.at(-1) === bar.ariaValueNow || window.shown.push(bar.ariaValueNow);
  note();
  new MutationObserver(note).observe(bar, { attributes: true, attributeFilter: ["aria-valuenow"] });
}"""


@pytest.fixture
async def running(tmp_path: Path) -> AsyncGenerator[Stack]:
    async with stack(alone(tmp_path), simulated=True, scenario=UNHURRIED.model_dump_json()) as running:
        yield running


@pytest.fixture
async def client(running: Stack) -> AsyncGenerator[httpx.AsyncClient]:
    headers = {"Authorization": f"Bearer {running.reach.admin_key}"}
    async with httpx.AsyncClient(base_url=running.reach.api_url, headers=headers, timeout=30) as client:
        yield client


async def signed_in(window: Window, client: httpx.AsyncClient) -> Page:
    link = (await client.post("/sign-in-links")).json()["path"]
    page = await window.page()
    await page.goto(f"{client.base_url}{link}".replace("//sign-in", "/sign-in"))
    await expect(page.get_by_role("heading", name="Fleet")).to_be_visible()
    return page


async def launched(page: Page, name: str) -> str:
    """The id of an instance that was asked for in the form, and whose page is open."""
    await page.get_by_role("link", name="Launch", exact=True).click()
    await page.get_by_label("Model", exact=True).fill(MODEL)
    await page.locator('#types input[value="L4-1-24G"]').check()
    await page.get_by_label("Name", exact=True).fill(name)
    await page.get_by_role("button", name="Launch").click()
    await expect(page).to_have_url(re.compile("/console/instances/"))
    await page.evaluate(NOTE_WHAT_THE_BAR_SHOWS)
    await stays(page)
    return page.url.rpartition("/")[2]


async def test_a_model_is_launched_talked_to_and_ended(client: httpx.AsyncClient, window: Window) -> None:
    page = await signed_in(window, client)
    instance_id = await launched(page, "evening")
    await expect(page.locator("#status")).to_have_text("ready", timeout=60_000)
    assert await stayed(page)

    shown = [int(percent) for percent in await page.evaluate("window.shown")]
    timeline = (await client.get(f"/instances/{instance_id}/timeline", params={"limit": 200})).json()["items"]
    happened = {row["progress_percent"] for row in timeline}
    assert shown == sorted(set(shown))
    assert set(shown) <= happened
    assert shown[-1] == 100
    assert len(set(shown)) >= len(happened) / 2  # those that follow at once are drawn together
    steps = page.locator("#waterfall tr")
    assert await steps.count() >= 13
    await expect(page.locator('#waterfall tr[data-state="done"]')).to_have_count(await steps.count())
    await expect(page.locator("#output")).to_contain_text("::phase::worker_start")

    await page.get_by_role("link", name="Playground").click()
    await page.get_by_label("Message").fill("Are you there?")
    await page.keyboard.press("Enter")
    await expect(page.locator('#talk [data-role="assistant"]')).to_contain_text("tokens/s")
    await expect(page.locator('#talk [data-role="assistant"]')).to_contain_text("Are you there?")

    await page.get_by_role("link", name="Fleet").click()
    await page.get_by_role("link", name="evening").click()
    await page.get_by_role("button", name="Terminate").click()
    await page.get_by_role("dialog").get_by_role("button", name="Terminate").click()
    await expect(page.locator("#status")).to_have_text("terminated", timeout=60_000)


async def test_a_launch_that_fails_says_where_and_why(
    running: Stack, client: httpx.AsyncClient, window: Window
) -> None:
    failing = UNHURRIED.model_copy(update={"install_fails_at": "docker_install"})
    assert running.reach.simulator_url
    async with httpx.AsyncClient(base_url=running.reach.simulator_url) as cloud:
        answer = await cloud.put("/_simulator/scenario", content=failing.model_dump_json())
        assert answer.status_code == 200, answer.text
    page = await signed_in(window, client)
    await launched(page, "morning")
    failure = page.locator("#failure")
    await expect(failure).to_be_visible(timeout=60_000)
    await expect(failure).to_contain_text("docker_install")
    await expect(page.locator("#output")).to_contain_text("::phase::docker_install")
    assert await stayed(page)
    assert (await page.evaluate("window.shown"))[-1] != "100"
