"""Prices and stock stay fresh while somebody looks at them, and nothing that was chosen is lost over it."""

import asyncio

import pytest
from playwright.async_api import Locator, Page, Route, expect

from shared.offers.instance_types import InstanceType, InstanceTypes
from tests.api.stage import MODEL, Stage
from tests.console.conftest import Window
from tests.console.test_launch import BOX, L4, L40S, PATH, SOLD_ELSEWHERE, choose, is_wrong, opened, submit, type_row
from tests.console.test_pages import complaints

DEARER = L4.model_copy(update={"hourly_price": 9.5})
SOLD_OUT = L4.model_copy(update={"availability": {"fr-par-2": "shortage", "fr-par-1": "shortage"}})
NEW = InstanceType(name="L4-8-24G", zones=("fr-par-1", "pl-waw-2"), gpus=8, gpu="L4", gpu_memory_gb=24)


async def looked_at(page: Page) -> None:
    """Somebody comes back to the page."""
    await page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")


def tick(page: Page, value: str) -> Locator:
    return page.locator(f'input[type="checkbox"][value="{value}"]')


async def test_every_minute_what_changed_is_shown(stage: Stage, window: Window) -> None:
    _, page = await opened(stage, window)
    await page.clock.install()
    await page.reload()
    await expect(type_row(page, "L4-1-24G")).to_contain_text("€0.75")
    await stage.offer(DEARER, L40S, SOLD_ELSEWHERE, NEW)
    await page.clock.run_for(61_000)
    await expect(type_row(page, "L4-1-24G")).to_contain_text("€9.50")
    await expect(type_row(page, "L4-8-24G")).to_contain_text("8 × L4")
    await expect(tick(page, "pl-waw-2")).to_be_visible()


async def test_what_is_not_known_yet_is_shown_soon_after_it_is(stage: Stage, window: Window) -> None:
    await stage.connection.jetstream().delete_key_value("instance_types")
    page = await window.open(await stage.api(), PATH)
    await expect(page.locator("#types")).to_contain_text("not known yet")
    await stage.offer(L4)
    await expect(type_row(page, "L4-1-24G")).to_be_visible()
    await expect(page.locator("#types")).not_to_contain_text("not known yet")


async def test_nobody_asks_for_a_page_that_nobody_looks_at(stage: Stage, window: Window) -> None:
    _, page = await opened(stage, window)
    await page.clock.install()
    await page.reload()
    await expect(type_row(page, "L4-1-24G")).to_be_visible()
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    await page.evaluate("Object.defineProperty(document, 'visibilityState', { value: 'hidden', configurable: true })")
    await page.clock.run_for(181_000)
    await page.evaluate("Object.defineProperty(document, 'visibilityState', { value: 'visible' })")
    assert asked == []
    async with page.expect_request("**/instance-types"):
        await looked_at(page)


async def test_choice_order_and_focus_stay_whatever_changes(stage: Stage, window: Window) -> None:
    _, page = await opened(stage, window)
    await choose(page, "L40S-1-48G", "L4-1-24G", "fr-par-1", "fr-par-2")
    await tick(page, "L4-1-24G").focus()
    await stage.offer(NEW, SOLD_ELSEWHERE, L40S, DEARER)
    await looked_at(page)
    await expect(type_row(page, "L4-1-24G")).to_contain_text("€9.50")
    await expect(tick(page, "L4-1-24G")).to_be_focused()
    for name, place in (("L40S-1-48G", "1"), ("L4-1-24G", "2")):
        await expect(tick(page, name)).to_be_checked()
        await expect(type_row(page, name).locator(".order")).to_have_text(place)
    await expect(tick(page, "fr-par-1")).to_be_checked()
    names = await page.locator("#types th input").evaluate_all("(all) => all.map((one) => one.value)")
    assert names == ["any", "L4-1-24G", "L40S-1-48G", "H100-1-80G", "L4-8-24G"]


async def test_that_something_chosen_went_out_of_stock_is_said_until_it_is_there_again(
    stage: Stage, window: Window
) -> None:
    _, page = await opened(stage, window)
    hint, told = page.locator("#instance_types-hint"), page.locator("#announcements")
    await choose(page, "L4-1-24G", "L40S-1-48G")
    await stage.offer(SOLD_OUT, L40S, SOLD_ELSEWHERE)
    await looked_at(page)
    await expect(hint).to_contain_text("L4-1-24G has been out of stock since")
    await expect(hint).not_to_contain_text("L40S-1-48G")
    await expect(told).to_have_text("L4-1-24G is out of stock now.")
    await expect(tick(page, "L4-1-24G")).to_be_checked()
    assert await complaints(page) == []
    await tick(page, "L4-1-24G").uncheck()
    await expect(hint).to_contain_text("In the order in which you choose them.")
    await tick(page, "L4-1-24G").check()
    await expect(hint).to_contain_text("L4-1-24G has been out of stock since")
    await stage.offer(L4, L40S, SOLD_ELSEWHERE)
    await looked_at(page)
    await expect(hint).to_contain_text("In the order in which you choose them.")


async def test_stock_counts_where_it_is_wanted(stage: Stage, window: Window) -> None:
    _, page = await opened(stage, window)
    await choose(page, "L4-1-24G", "fr-par-1")
    await stage.offer(L4.model_copy(update={"availability": {"fr-par-2": "available", "fr-par-1": "shortage"}}))
    await looked_at(page)
    await expect(page.locator("#instance_types-hint")).to_contain_text("L4-1-24G has been out of stock since")


async def test_what_is_chosen_and_offered_no_more_stays_and_is_refused_by_the_api(stage: Stage, window: Window) -> None:
    window.forgives = "status of 4"
    _, page = await opened(stage, window, f"?model={MODEL}")
    await choose(page, "L4-1-24G", "fr-par-1")
    await stage.offer(L40S)
    await looked_at(page)
    await expect(type_row(page, "L4-1-24G")).to_contain_text("not offered any more")
    await expect(type_row(page, "H100-1-80G")).to_have_count(0)
    await expect(page.locator("#zone-list label").filter(has_text="fr-par-1")).to_contain_text("not offered any more")
    await expect(tick(page, "nl-ams-1")).to_have_count(0)
    await submit(page)
    await is_wrong(page, tick(page, "L4-1-24G"), "instance_types", "L4-1-24G is not offered")


@pytest.mark.parametrize("width", [360, 1200])
async def test_figures_that_could_not_be_refreshed_are_said_to_be_old(stage: Stage, window: Window, width: int) -> None:
    window.forgives = "net::ERR_FAILED"
    _, page = await opened(stage, window, viewport={"width": width, "height": 740})
    hint = page.locator("#instance_types-hint")
    await page.route("**/instance-types", lambda route: route.abort())
    await looked_at(page)
    await expect(hint).to_contain_text("Prices and stock are from")
    await expect(hint).to_contain_text("The API does not answer")
    await expect(type_row(page, "L4-1-24G")).to_contain_text("€0.75")
    await page.unroute("**/instance-types")
    await looked_at(page)
    await expect(hint).to_contain_text("In the order in which you choose them.")


async def test_what_could_not_be_read_at_first_is_said_until_it_is(stage: Stage, window: Window) -> None:
    window.forgives = "net::ERR_FAILED"
    _, page = await opened(stage, window)
    await page.route("**/instance-types", lambda route: route.abort())
    await page.reload()
    hint = page.locator("#instance_types-hint")
    await expect(hint).to_have_text(
        "Prices and stock could not be read: The API does not answer. Try again in a moment."
    )
    await expect(page.locator("#announcements")).to_contain_text("The API does not answer")
    await page.unroute("**/instance-types")
    await looked_at(page)
    await expect(type_row(page, "L4-1-24G")).to_contain_text("€0.75")
    await expect(hint).to_contain_text("In the order in which you choose them.")
    await expect(page.get_by_role("alert")).to_have_count(0)


async def test_another_provider_s_stock_is_not_told_as_news(stage: Stage, window: Window) -> None:
    """One that is chosen while prices are being read again, and a type of it."""
    await InstanceTypes(stage.connection.jetstream(), replicas=1).publish("machines", (BOX,))
    _, page = await opened(stage, window)
    await page.clock.install()
    await page.reload()
    came, let_go = asyncio.Event(), asyncio.Event()

    async def held(route: Route) -> None:
        came.set()
        await let_go.wait()
        await route.continue_()

    await expect(type_row(page, "L4-1-24G")).to_be_visible()
    await page.route("**/instance-types", held)
    await looked_at(page)
    await came.wait()
    await page.get_by_label("Provider").select_option("machines")
    await choose(page, "own")
    async with page.expect_response("**/instance-types"):
        let_go.set()
    await page.clock.run_for(5_000)
    await expect(page.locator("#announcements")).to_have_text("")
