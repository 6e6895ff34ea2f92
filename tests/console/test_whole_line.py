"""From the form to an answer and to the end, in a browser, with every service and a simulated cloud behind it."""

import re
from collections.abc import AsyncGenerator
from itertools import groupby
from pathlib import Path

import httpx
import pytest_asyncio
from playwright.async_api import Page, expect

from coldstart.demo import alone
from coldstart.stack.stack import Stack, stack
from shared.lifecycle.events import SshInstallCompleted
from shared.lifecycle.progress import PROGRESS
from simulator.scenario import Scenario
from tests.console.conftest import Window
from tests.console.test_fleet import stayed, stays

MODEL = "Qwen/Qwen2.5-0.5B-Instruct"
UNHURRIED = Scenario(
    create=0.2, boot_volume=0.3, volume_update=0.3, poweron=0.4, address=0.8, ssh_up=0.4, image_pull=0.8, model_load=1.5
)
NOTE_WHAT_COMES_AND_WHAT_THE_BAR_SHOWS = """
  window.told = []; // the page's percentage and each event's, and the number of frames before it
  window.shown = [];
  let frames = 0;
  const frame = () => {
    frames += 1;
    requestAnimationFrame(frame);
  };
  requestAnimationFrame(frame);
  window.EventSource = class extends EventSource {
    addEventListener(type, listener) {
      super.addEventListener(type, (message) => {
        const percent = JSON.parse(message.data || "{}").data?.instance.progress_percent;
        if (percent !== undefined) window.told.push([frames, percent]);
        listener(message);
      });
    }
  };
  const note = (bar) => {
    const percent = Number(bar.ariaValueNow);
    if (window.shown.at(-1) !== percent) window.shown.push(percent);
  };
  document.addEventListener("DOMContentLoaded", () => { // what it shows from the beginning is not written again
    const bar = document.querySelector("[aria-valuenow]");
    if (!bar) return;
    window.told.unshift([-1, Number(bar.ariaValueNow)]);
    note(bar);
  });
  new MutationObserver((changes) => note(changes.at(-1).target))
    .observe(document, { subtree: true, attributeFilter: ["aria-valuenow"] });
"""


@pytest_asyncio.fixture(loop_scope="session")
async def running(tmp_path: Path) -> AsyncGenerator[Stack]:
    async with stack(alone(tmp_path), simulated=True, scenario=UNHURRIED.model_dump_json()) as running:
        yield running


@pytest_asyncio.fixture(loop_scope="session")
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
    await page.add_init_script(NOTE_WHAT_COMES_AND_WHAT_THE_BAR_SHOWS)
    await page.get_by_role("link", name="Launch", exact=True).click()
    await page.get_by_label("A single machine").check()
    await page.get_by_label("Model", exact=True).fill(MODEL)
    await page.locator('#types input[value="L4-1-24G"]').check()
    await page.get_by_label("Name", exact=True).fill(name)
    await page.get_by_role("button", name="Launch").click()
    await expect(page).to_have_url(re.compile("/console/instances/"))
    await stays(page)
    return page.url.rpartition("/")[2]


def drawn(told: list[tuple[int, int]]) -> list[int]:
    """What a bar shows that misses nothing: of what came between two frames the last, each once."""
    return [percent for percent, _ in groupby(dict(told).values())]


async def test_a_model_is_launched_talked_to_and_ended(client: httpx.AsyncClient, window: Window) -> None:
    page = await signed_in(window, client)
    instance_id = await launched(page, "evening")
    await expect(page.locator("#status")).to_have_text("ready", timeout=60_000)
    assert await stayed(page)

    told, shown = await page.evaluate("[window.told, window.shown]")
    timeline = (await client.get(f"/instances/{instance_id}/timeline", params={"limit": 200})).json()["items"]
    assert {percent for _, percent in told} == {row["progress_percent"] for row in timeline}
    assert shown == drawn(told) == sorted({*shown})
    assert shown[-1] == 100
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
    told, shown = await page.evaluate("[window.told, window.shown]")
    assert shown == drawn(told)
    assert shown[-1] == told[-1][1] < PROGRESS[SshInstallCompleted]
