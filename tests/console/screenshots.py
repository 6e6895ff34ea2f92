"""Pictures of the console's pages for the documentation, from a seeded run: `make screenshots`. Needs chromium."""

import argparse
import asyncio
import hashlib
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final, Literal

from playwright.async_api import Browser, Page, expect

from coldstart.embedded.servers import servers
from services.api.console.assets import Assets
from shared.bus.connection import connect
from shared.bus.topology import apply_topology
from shared.logs import configure_logs
from tests.api.fakes import a_hub
from tests.api.stage import ADMIN_KEY, RunningApi, Stage, a_stage
from tests.console.chromium import a_browser
from tests.console.scenery.company import Scenery, a_month

FOLDER: Final = Path("docs/screenshots")
OF: Final = "taken-of.sha256"
"""Beside the pictures: the digest of what they were taken of."""
PROJECT: Final = Path(__file__).parents[2]
TEMPLATES: Final = PROJECT / "services" / "api" / "console" / "templates"
SCENERY: Final = Path(__file__).parent / "scenery"
WIDTH: Final = 1280


@dataclass(frozen=True)
class Shot:
    """`shown` waits until the page is as it is to be seen; `{loading}` and the like are instances of the scenery."""

    name: str
    path: str
    shown: Callable[[Page], Awaitable[None]]
    height: int = 800
    scheme: Literal["light", "dark"] = "light"


async def _fleet(page: Page) -> None:
    await expect(page.locator("#rows .row")).to_have_count(11)
    for name in ("evaluation-72b", "notebooks"):
        await expect(page.locator("#rows .row").filter(has_text=name)).to_contain_text(re.compile(r"\d\d:\d\d"))


async def _launching(page: Page) -> None:
    await expect(page.locator("#basis")).to_contain_text("the last")
    await expect(page.locator("#eta")).to_contain_text("nine times in ten")


async def _failed(page: Page) -> None:
    await expect(page.locator("#output")).to_contain_text("manifest unknown")


async def _playground(page: Page) -> None:
    await page.get_by_label("Message").fill("What is a cold start, in two sentences?")
    await page.get_by_role("button", name="Send").click()
    await expect(page.locator("#talk")).to_contain_text("tokens/s")


async def _events(page: Page) -> None:
    await expect(page.locator("#feed > li").first).to_contain_text("StartupFailed")


async def _launch(page: Page) -> None:
    await page.locator('#types input[value="L40S-1-48G"]').check()
    await page.locator('#types input[value="L4-1-24G"]').check()


async def _usage(page: Page) -> None:
    await expect(page.locator("#models svg")).to_be_visible()
    await expect(page.locator("#costs svg")).to_be_visible()


async def _keys(page: Page) -> None:
    await expect(page.locator("main")).to_contain_text("search index")


async def _organization(page: Page) -> None:
    await expect(page.locator("main")).to_contain_text("acme/chat-next")


async def _searching(page: Page) -> None:
    await page.get_by_role("combobox", name="Model").press_sequentially("qwen2.5")
    await expect(page.get_by_role("listbox")).to_contain_text("On the hub")


async def _deployments(page: Page) -> None:
    await expect(page.locator("#rows .endpoint")).to_have_count(3)
    await expect(page.locator("#rows")).to_contain_text("36 in flight")


async def _deployment(page: Page) -> None:
    await expect(page.locator("#load .slot")).not_to_have_count(0)
    await expect(page.locator("#explanation")).to_contain_text("Cold start")
    await expect(page.locator("#flight")).to_have_text("36 in flight")


SHOTS: Final = (
    Shot("deployments", "/console/deployments", _deployments, height=520),
    Shot("deployment", "/console/deployments/support", _deployment, height=1560),
    Shot("fleet", "/", _fleet, height=620),
    Shot("fleet-dark", "/", _fleet, height=620, scheme="dark"),
    Shot("instance", "/console/instances/{loading}", _launching, height=1000),
    Shot("failure", "/console/instances/{failed}", _failed, height=1000),
    Shot("launch", "/console/launch?model=Qwen/Qwen2.5-7B-Instruct", _launch, height=900),
    Shot("search", "/console/launch", _searching, height=640),
    Shot("playground", "/console/playground?model=Qwen/Qwen2.5-7B-Instruct", _playground, height=560),
    Shot("events", "/console/events", _events, height=640),
    Shot("usage", "/console/usage", _usage, height=1150),
    Shot("organization", "/console/organizations/acme", _organization, height=760),
    Shot("keys", "/console/keys", _keys, height=640),
)


def digest() -> str:
    """Of all that the pictures show: templates, what pages load, the scenery, and how they are taken."""
    files = sorted([*TEMPLATES.glob("*.html"), *SCENERY.glob("*.py"), Path(__file__)])
    content = b"\0".join(file.name.encode() + b"\0" + file.read_bytes() for file in files)
    return hashlib.sha256(content + Assets.read().digest.encode()).hexdigest()


async def shots(stage: Stage, browser: Browser, folder: Path) -> list[Path]:
    """Each page into a file named after it."""
    await stage.projector()
    api = await stage.api(
        estimate_seconds=0.5,
        eta_refresh_seconds=0.5,
        limits_check_seconds=3600.0,  # nothing but the scenery happens
        simulated=("cloud", "hub"),
    )
    scenery = await a_month(stage, api)
    return [await _taken(api, scenery, browser, shot, folder) for shot in SHOTS]


async def _taken(api: RunningApi, scenery: Scenery, browser: Browser, shot: Shot, folder: Path) -> Path:
    context = await browser.new_context(
        viewport={"width": WIDTH, "height": shot.height},
        color_scheme=shot.scheme,
        reduced_motion="reduce",
        timezone_id="UTC",
        locale="en-GB",
    )
    page = await context.new_page()
    await context.request.post(f"{api.url}/sign-in", form={"key": ADMIN_KEY}, max_redirects=0)
    await page.goto(api.url + shot.path.format(loading=scenery.loading.id, failed=scenery.failed.id))
    await shot.shown(page)
    path = folder / f"{shot.name}.png"
    await page.screenshot(path=path)
    await context.close()
    return path


async def main(folder: Path) -> None:
    configure_logs("screenshots", "error", "console")
    with TemporaryDirectory() as name:
        async with servers(Path(name), None, None) as running, a_hub() as hub, a_browser() as browser:
            connection = await connect(running.nats_url, "screenshots")
            await apply_topology(connection.jetstream(), replicas=1, ack_wait_s=30)
            async with a_stage(running.nats_url, running.database_url, connection, hub) as stage:
                await shots(stage, browser, folder)
            await connection.close()
    (folder / OF).write_text(f"{digest()}\n")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", nargs="?", type=Path, default=FOLDER)
    asyncio.run(main(parser.parse_args().folder))
