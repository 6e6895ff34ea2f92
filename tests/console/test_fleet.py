"""The fleet: every instance as it is, changing as it does, without a reload."""

import re
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
from playwright.async_api import Locator, Page, Route, expect

from services.api.app import running
from shared.lifecycle.instance import Instance
from tests.api.fakes import free_port
from tests.api.stage import ADMIN_KEY, RunningApi, Stage, reached
from tests.console.conftest import Window
from tests.lifecycle import facts as f
from tests.lifecycle import histories as h
from tests.lifecycle.facts import Facts

MOST_TABS = 40


def recent(history: Facts) -> Facts:
    return f.timed(*history, start=datetime.now(UTC) - timedelta(minutes=10), seconds=5)


def row(page: Page, instance: Instance) -> Locator:
    return page.locator(f'#rows [data-id="{instance.id}"]')


def bar(page: Page, instance: Instance) -> Locator:
    return row(page, instance).get_by_role("progressbar")


async def names(page: Page) -> list[str]:
    return await page.locator("#rows .row a").all_text_contents()


async def stays(page: Page) -> None:
    """Leave a mark that a reload would wipe out."""
    await page.evaluate("window.never_reloaded = true")


async def stayed(page: Page) -> bool:
    return bool(await page.evaluate("window.never_reloaded === true"))


@asynccontextmanager
async def api_at(stage: Stage, port: int) -> AsyncGenerator[RunningApi]:
    """One that ends with the block, unlike the stage's own."""
    async with running(stage.settings(api_port=port)) as api, reached(api, ADMIN_KEY) as client:
        yield client


async def test_the_bar_passes_through_every_step_to_ready_without_a_reload(stage: Stage, window: Window) -> None:
    await stage.projector()
    api = await stage.api(estimate_seconds=0.2)
    page = await window.open(api)
    await expect(page.get_by_text("There is no instance yet")).to_be_visible()
    await stays(page)
    request, *rest = recent(h.a_ready_instance())
    instance = await stage.happened(request)
    await expect(row(page, instance)).to_contain_text("creating the server")
    await expect(row(page, instance)).to_contain_text("min", use_inner_text=True)
    for fact in rest:
        instance = await stage.happened(fact, instance_id=instance.id)
        await expect(bar(page, instance)).to_have_attribute("aria-valuenow", str(instance.progress_percent))
        await expect(row(page, instance).locator(".status")).to_have_text(instance.status)
    assert instance.progress_percent == 100
    await expect(row(page, instance)).to_contain_text(re.compile("€0[.][0-9]{2}"))
    await expect(page.get_by_role("status")).to_contain_text("qwen is ready.")
    assert await stayed(page)


async def test_a_bar_moves_nothing_but_itself(stage: Stage, window: Window) -> None:
    api = await stage.api()
    first, second = await stage.happened(*recent(h.a_launch())), await stage.happened(*recent(h.a_launch()))
    page = await window.open(api)
    await expect(bar(page, second)).to_have_attribute("aria-valuenow", "50")
    await page.evaluate(
        """() => { window.shifted = 0; new PerformanceObserver((list) => {
            for (const shift of list.getEntries()) window.shifted += shift.value;
        }).observe({ type: "layout-shift" }) }"""
    )
    before = await row(page, first).bounding_box()
    for fact in (*h.an_install(), f.ssh_install_completed(), *h.a_warm_up()):
        second = await stage.happened(fact, instance_id=second.id)
    await expect(bar(page, second)).to_have_attribute("aria-valuenow", "95")
    assert await row(page, first).bounding_box() == before
    assert await page.evaluate("window.shifted") == 0


@pytest.mark.parametrize("width", [360, 740, 900, 1080, 1400])
async def test_type_zone_and_cost_are_there_on_every_screen(stage: Stage, window: Window, width: int) -> None:
    api = await stage.api()
    instance = await stage.happened(*recent(h.a_ready_instance()))
    page = await window.open(api, viewport={"width": width, "height": 740})
    for part in ("type", "zone", "cost"):
        shown = row(page, instance).locator(f"[data-of={part}]")
        await expect(shown).to_be_visible()
        await expect(shown).not_to_have_text("—")
        box, whole = await shown.bounding_box(), await row(page, instance).bounding_box()
        assert box is not None
        assert whole is not None
        assert whole["x"] < box["x"] < box["x"] + box["width"] < whole["x"] + whole["width"]
        assert await shown.evaluate("(text) => text.scrollWidth <= text.parentElement.clientWidth"), "it is cut off"
    assert await page.evaluate("document.documentElement.scrollWidth") <= width


async def test_when_it_is_most_likely_ready_is_told_without_pointing_at_it(stage: Stage, window: Window) -> None:
    api = await stage.api(estimate_seconds=0.2)
    instance = await stage.happened(*recent(h.a_launch()))
    page = await window.open(api)
    await expect(row(page, instance).get_by_role("cell").nth(4)).to_contain_text("nine times in ten by")


async def test_who_has_no_instance_yet_is_led_to_where_one_is_launched(stage: Stage, window: Window) -> None:
    page = await window.open(await stage.api())
    nothing = page.locator(".empty:visible")
    await expect(nothing).to_contain_text("coldstart instances create MODEL")
    await nothing.get_by_role("link", name="Launch one").click()
    await expect(page).to_have_url(re.compile("/console/launch[?]as=machine$"))


async def test_failures_come_first_with_their_cause(stage: Stage, window: Window) -> None:
    await stage.projector()
    api = await stage.api()
    histories = {
        "ready": h.a_ready_instance(name="ready"),
        "starting": h.a_starting_instance(name="starting"),
        "failed": h.a_failed_launch(name="failed"),
    }
    made = {name: await stage.happened(*recent(history)) for name, history in histories.items()}
    for instance in made.values():
        await api.projected(instance)
    page = await window.open(api)
    await expect(row(page, made["failed"])).to_contain_text("No zone has an L4.")
    assert await names(page) == ["failed", "starting", "ready"]
    failure = f.startup_failed(message="CUDA out of memory")
    await stage.happened(failure, instance_id=made["starting"].id)
    await expect(row(page, made["starting"])).to_contain_text("CUDA out of memory")
    await expect(page.get_by_role("status")).to_contain_text("starting failed: CUDA out of memory")
    assert set((await names(page))[:2]) == {"failed", "starting"}


async def test_a_row_goes_to_its_new_place_alone_and_keeps_the_focus(stage: Stage, window: Window) -> None:
    api = await stage.api()
    made = [await stage.happened(*recent(h.a_starting_instance(name=str(number)))) for number in range(5)]
    page = await window.open(api)
    await expect(page.locator("#rows .row")).to_have_count(5)
    assert await names(page) == ["4", "3", "2", "1", "0"]
    await page.evaluate(
        """() => { window.placed = 0; new MutationObserver((changes) => {
            for (const { addedNodes } of changes)
                window.placed += [...addedNodes].filter((one) => one.className === "row").length;
        }).observe(document.getElementById("rows"), { childList: true, subtree: true }) }"""
    )
    await row(page, made[-1]).get_by_role("link").focus()
    for fact in (f.health_passed(), f.instance_ready()):
        await stage.happened(fact, instance_id=made[-1].id)
    await expect(row(page, made[-1]).locator(".status")).to_have_text("ready")
    assert await names(page) == ["3", "2", "1", "0", "4"]
    assert await page.evaluate("window.placed") == 1
    await expect(row(page, made[-1]).get_by_role("link")).to_be_focused()
    await stage.happened(f.health_lost(), instance_id=made[-1].id)
    await expect(row(page, made[-1]).locator(".status")).to_have_text("unavailable")
    assert await names(page) == ["4", "3", "2", "1", "0"]
    assert await page.evaluate("window.placed") == 2


async def test_filters_show_what_is_asked_for_and_stay_in_the_address(stage: Stage, window: Window) -> None:
    await stage.projector()
    api = await stage.api()
    for history in (
        h.a_ready_instance(name="chat"),
        h.a_starting_instance(name="evening"),
        h.a_failed_launch(name="broken", model="mistralai/Mistral-7B-Instruct-v0.3"),
    ):
        await api.projected(await stage.happened(*recent(history)))
    page = await window.open(api)
    await expect(page.locator("#rows .row")).to_have_count(3)
    await page.get_by_text("Failed 1").click()
    await expect(page.locator("#rows .row")).to_have_count(1)
    assert await names(page) == ["broken"]
    await page.get_by_text("All 3").click()
    await page.get_by_label("Search").fill("EVEN")
    await expect(page.locator("#rows .row")).to_have_count(1)
    await page.reload()
    await expect(page.locator("#rows .row")).to_have_count(1)
    assert await names(page) == ["evening"]
    await page.get_by_label("Search").fill("")
    await page.get_by_label("Model").select_option("mistralai/Mistral-7B-Instruct-v0.3")
    await expect(page.locator("#rows .row")).to_have_count(1)
    assert await names(page) == ["broken"]
    await page.get_by_text("Ready 0").click()
    await expect(page.get_by_text("No instance matches.")).to_be_visible()


async def test_the_model_that_an_address_asks_for_stays_asked_for_when_there_is_none_of_it_yet(
    stage: Stage, window: Window
) -> None:
    await stage.projector()
    api = await stage.api()
    await api.projected(await stage.happened(*recent(h.a_ready_instance(name="chat"))))
    page = await window.open(api, "/?model=mistralai/Mistral-7B-Instruct-v0.3")
    await expect(page.get_by_text("No instance matches.")).to_be_visible()
    await expect(page.get_by_label("Model")).to_have_value("mistralai/Mistral-7B-Instruct-v0.3")
    await stage.happened(*recent(h.a_launch(name="new", model="mistralai/Mistral-7B-Instruct-v0.3")))
    await expect(page.locator("#rows .row")).to_have_count(1)
    assert await names(page) == ["new"]


async def test_a_list_that_breaks_off_is_read_again(stage: Stage, window: Window) -> None:
    await stage.projector()
    api = await stage.api()
    await api.projected(await stage.happened(*recent(h.a_launch())))
    page = await window.open(api, "/sign-in")

    async def half(route: Route) -> None:
        await route.fulfill(body='{"items": [', content_type="application/json")

    await page.route("**/instances?limit=50&*", half, times=1)
    await page.goto(api.url)
    await expect(page.get_by_text("The API does not answer")).to_be_visible()
    await expect(page.locator("#rows .row")).to_have_count(1)


async def test_what_still_stands_is_listed_however_many_have_ended_since(stage: Stage, window: Window) -> None:
    await stage.projector()
    api = await stage.api()
    for history in (h.a_ready_instance(name="stands"), h.a_terminated_instance(name="ended")):
        await api.projected(await stage.happened(*recent(history)))
    [shown] = (await api.client.get("/instances", params={"status": "terminated"})).json()["items"]
    asked = []

    async def many(route: Route) -> None:
        asked.append(route.request.url)
        items = [{**shown, "id": str(uuid4())} for _ in range(200)]
        await route.fulfill(json={"items": items, "next_cursor": "further"})

    page = await window.open(api, "/sign-in")
    await page.route(re.compile(r"/instances\?.*status=terminated"), many)
    await page.goto(api.url)
    await expect(page.locator("#sum")).to_contain_text("only the newest 1000 terminated ones")
    await expect(page.locator("#rows .row")).to_have_count(1001)
    assert (await names(page))[0] == "stands"
    assert len(asked) == 5


async def test_a_page_that_was_cut_off_catches_up_without_a_gap(stage: Stage, window: Window) -> None:
    window.forgives = "net::ERR_CONNECTION_REFUSED|net::ERR_INCOMPLETE_CHUNKED_ENCODING|net::ERR_CONNECTION_RESET"
    port = free_port()
    await stage.projector()
    async with api_at(stage, port) as api:
        instance = await stage.happened(*recent(h.a_launch()))
        await api.projected(instance)
        page = await window.open(api)
        await expect(bar(page, instance)).to_have_attribute("aria-valuenow", "50")
        await expect(page.locator("#live")).to_have_text("live")
        await stays(page)
    await expect(page.locator("#live")).to_have_text("reconnecting")
    for fact in (*h.an_install(), f.ssh_install_completed()):
        await stage.happened(fact, instance_id=instance.id)
    other = await stage.happened(*recent(h.a_failed_launch(name="meanwhile")))
    async with api_at(stage, port):
        await expect(bar(page, instance)).to_have_attribute("aria-valuenow", "60")
        await expect(row(page, other)).to_contain_text("No zone has an L4.")
        await expect(page.locator("#live")).to_have_text("live")
        assert await stayed(page)
        await page.close()


async def test_what_happens_while_the_list_is_read_is_not_missed(stage: Stage, window: Window) -> None:
    """The read model has seen nothing yet: all that is known comes from the stream."""
    api = await stage.api()
    instance = await stage.happened(*recent(h.a_starting_instance()))
    page = await window.open(api)
    await expect(bar(page, instance)).to_have_attribute("aria-valuenow", "60")


async def test_an_organisation_sees_its_own_alone(stage: Stage, window: Window) -> None:
    await stage.projector()
    api = await stage.api()
    acme = await api.organization("acme")
    own = await stage.happened(*recent(h.a_ready_instance(name="ours", organization_id=acme["id"])))
    others = await stage.happened(*recent(h.a_ready_instance(name="theirs")))
    for instance in (own, others):
        await api.projected(instance)
    page = await window.open(api, key=await api.user_key("acme"))
    await expect(row(page, own)).to_be_visible()
    assert await names(page) == ["ours"]


async def test_everything_can_be_reached_by_keyboard(stage: Stage, window: Window) -> None:
    await stage.projector()
    api = await stage.api()
    instance = await stage.happened(*recent(h.a_failed_launch(name="broken")))
    await api.projected(instance)
    page = await window.open(api)
    await expect(row(page, instance)).to_be_visible()
    came_to = await tabbed(page, row(page, instance).get_by_role("link"))
    assert came_to[0] == "Skip to the content"
    assert [one for one in came_to if one in {"Fleet", "Sign out", "broken"}] == ["Fleet", "Sign out", "broken"]
    await page.keyboard.press("Enter")
    await expect(page).to_have_url(f"{api.url}/console/instances/{instance.id}")


async def tabbed(page: Page, to: Locator) -> list[str]:
    """The names of what the tab key comes to, one after the other, until it is there."""
    found: list[str] = []
    for _ in range(MOST_TABS):
        await page.keyboard.press("Tab")
        found.append(str(await page.evaluate("document.activeElement.textContent.trim()")))
        if await to.evaluate("(wanted) => wanted === document.activeElement"):
            return found
    pytest.fail(f"the tab key does not come to it: {found}")


async def test_what_a_launch_waits_for_is_said_and_what_does_not_answer_is_not_called_ready(
    stage: Stage, window: Window
) -> None:
    await stage.projector()
    api = await stage.api()
    requested, *_ = recent(h.a_launch(name="waits"))
    waits = await stage.happened(requested, f.action_delayed())
    lost = await stage.happened(*recent((*h.a_ready_instance(name="lost"), f.health_lost())))
    for instance in (waits, lost):
        await api.projected(instance)
    page = await window.open(api)
    await expect(row(page, waits)).to_contain_text("creating the server: no L4 in fr-par-2 (try 1)")
    await expect(row(page, waits)).to_contain_text("again now")
    await expect(row(page, lost)).to_contain_text("not answering")
    await stage.happened(f.action_delayed(number=2, reason="no L4 in fr-par-1"), instance_id=waits.id)
    await expect(row(page, waits)).to_contain_text("creating the server: no L4 in fr-par-1 (try 2)")
    await stage.happened(f.instance_created(), instance_id=waits.id)
    await expect(row(page, waits)).to_contain_text("growing the volume")
    await expect(row(page, waits)).not_to_contain_text("again")
    await page.goto(f"{api.url}/console/instances/{lost.id}")
    await expect(page.locator("#step")).to_have_text("not answering")
