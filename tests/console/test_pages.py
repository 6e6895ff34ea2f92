"""What holds for every page: headers, weight, accessibility."""

import asyncio
import json
from pathlib import Path
from typing import Any, Literal

import pytest
from playwright.async_api import Page, Route, expect

from tests.api.stage import RunningApi, Stage
from tests.console.conftest import Window
from tests.console.test_fleet import recent
from tests.lifecycle import facts as f
from tests.lifecycle import histories as h

AXE = Path(__file__).parents[1] / "node" / "node_modules" / "axe-core" / "axe.min.js"
SEVERE = {"serious", "critical"}
SCHEMES: tuple[Literal["light", "dark"], ...] = ("light", "dark")
FIRST_PAGE_BYTES = 150_000


async def complaints(page: Page) -> list[str]:
    """What axe-core finds serious or critical, in light and in dark."""
    await page.evaluate(AXE.read_text())  # by the debugger, past the page's policy
    found: list[dict[str, Any]] = []
    for scheme in SCHEMES:
        await page.emulate_media(color_scheme=scheme)
        found += (await page.evaluate("axe.run(document, { resultTypes: ['violations'] })"))["violations"]
    return [
        f"{one['id']}: {one['help']}: {json.dumps([node['html'] for node in one['nodes']])}"
        for one in found
        if one["impact"] in SEVERE
    ]


async def a_fleet(stage: Stage) -> RunningApi:
    """One instance of every kind."""
    await stage.projector()
    api = await stage.api()
    for history in (h.a_ready_instance(), h.a_starting_instance(), h.a_failed_launch(), h.a_failed_start()):
        await api.projected(await stage.happened(*history))
    return api


async def test_pages_and_what_they_load_say_what_browsers_may_do_with_them(stage: Stage) -> None:
    api = await stage.api()
    async with api.stranger() as client:
        page = await client.get("/sign-in")
        policy = dict(part.strip().split(" ", 1) for part in page.headers["content-security-policy"].split(";"))
        assert policy["default-src"] == policy["frame-ancestors"] == policy["base-uri"] == "'none'"
        assert {policy[name] for name in ("script-src", "style-src", "connect-src", "form-action")} == {"'self'"}
        assert page.headers["x-content-type-options"] == "nosniff"
        assert page.headers["cache-control"] == "no-store"
        address = page.text.partition('rel="stylesheet" href="')[2].partition('"')[0]
        sheet = await client.get(address)
        assert (sheet.headers["content-type"], sheet.headers["content-encoding"]) == ("text/css; charset=utf-8", "gzip")
        assert "immutable" in sheet.headers["cache-control"]
        plain = await client.get(address, headers={"Accept-Encoding": "identity"})
        assert plain.content == sheet.content
        digest = address.split("/")[3]
        of_another_release = await client.get(address.replace(digest, "0" * len(digest)))
        assert of_another_release.headers["cache-control"] == "no-cache"
        assert (await client.get(f"/console/static/{digest}/nothing.js")).status_code == 404
        assert (await client.get(f"/console/static/{digest}/..%2fapp.py")).status_code == 404


async def test_what_a_policy_forbids_would_be_a_fault_of_the_page(stage: Stage, window: Window) -> None:
    window.forgives = "Content Security Policy|policy violated"
    api = await stage.api()
    page = await window.open(api, "/sign-in")
    for html in ("<script>window.ran = true</script>", "<style>body { color: red }</style>"):
        await page.evaluate(
            "(html) => document.body.append(document.createRange().createContextualFragment(html))", html
        )
    await page.evaluate("fetch('https://elsewhere.test').catch(() => null)")
    assert await page.evaluate("window.ran") is None
    told = [fault.split()[2] for fault in window.faults if fault.startswith("policy violated:")]
    assert told == ["script-src-elem", "style-src-elem", "connect-src"]


async def test_the_first_page_and_all_it_loads_weigh_little(stage: Stage, window: Window) -> None:
    api = await a_fleet(stage)
    page = await window.open(api, "/sign-in")
    weights: list[float] = []
    devtools = await page.context.new_cdp_session(page)
    await devtools.send("Network.enable")
    devtools.on("Network.loadingFinished", lambda told: weights.append(told["encodedDataLength"]))
    await page.goto(api.url)
    await expect(page.locator("#rows .row")).to_have_count(4)
    await expect(page.locator("#live")).to_have_text("live")
    assert len(weights) > 5
    assert sum(weights) < FIRST_PAGE_BYTES


async def test_the_first_rows_are_there_before_the_others_have_come(stage: Stage, window: Window) -> None:
    api = await a_fleet(stage)
    page = await window.open(api, "/sign-in")
    asked: list[str] = []
    seen = asyncio.Event()

    async def a_part(route: Route) -> None:
        answer = await route.fetch()
        await route.fulfill(response=answer, json={**await answer.json(), "next_cursor": "further"})

    async def the_rest(route: Route) -> None:
        asked.append(route.request.url)
        await seen.wait()
        await route.fulfill(json={"items": [], "next_cursor": None})

    await page.route("**/instances?limit=50&*", a_part, times=1)
    await page.route("**/instances?*cursor=*", the_rest)
    async with page.expect_request("**/instances?*cursor=*"):
        await page.goto(api.url)
    await expect(page.locator("#rows .row")).not_to_have_count(0)
    await expect(page.locator("#live")).to_have_text("live")
    seen.set()
    await expect(page.locator("#rows .row")).to_have_count(4)
    assert len(asked) == 1


@pytest.mark.parametrize("path", ["/", "/sign-in", "/asyncapi", "/?status=failed", "/?text=none%20is%20like%20this"])
async def test_nothing_keeps_anybody_from_using_a_page(stage: Stage, window: Window, path: str) -> None:
    api = await a_fleet(stage)
    page = await window.open(api, path)
    if path == "/":
        await expect(page.locator("#rows .row")).to_have_count(4)
    assert await complaints(page) == []


async def test_nothing_keeps_anybody_from_using_an_instance_s_page(stage: Stage, window: Window) -> None:
    api = await stage.api()
    failed = (*h.an_installing_instance(), f.ssh_install_failed(output=("E: no access",)), f.startup_failed())
    for history in (h.a_starting_instance(), failed):
        instance = await stage.happened(*recent(history))
        page = await window.open(api, f"/console/instances/{instance.id}")
        await expect(page.locator("#events > li")).to_have_count(instance.version)
        assert await complaints(page) == []
    await page.get_by_label("As it was").press("Home")
    await expect(page.locator("#past")).to_be_visible()
    assert await complaints(page) == []
    await page.get_by_role("button", name="Back to now").click()
    await page.get_by_role("button", name="Terminate").click()
    await expect(page.get_by_role("dialog")).to_be_visible()
    assert await complaints(page) == []


async def test_a_page_fits_a_telephone(stage: Stage, window: Window) -> None:
    api = await stage.api()
    instance = await stage.happened(*recent(h.a_starting_instance()))
    for path in ("/", f"/console/instances/{instance.id}", "/sign-in", "/asyncapi"):
        page = await window.open(api, path, viewport={"width": 360, "height": 740})
        if path not in {"/sign-in", "/asyncapi"}:
            await expect(page.get_by_role("progressbar")).to_have_attribute("aria-valuenow", "60")
        assert await page.evaluate("document.documentElement.scrollWidth") <= 360


async def test_bars_stand_still_for_those_who_want_less_motion(stage: Stage, window: Window) -> None:
    api = await stage.api()
    await stage.happened(*recent(h.a_starting_instance()))
    for motion, duration in (("reduce", "0s"), ("no-preference", "0.12s")):
        page = await window.open(api, reduced_motion=motion)
        filling = page.get_by_role("progressbar").locator("span")
        assert await filling.evaluate("(bar) => getComputedStyle(bar).transitionDuration") == duration
