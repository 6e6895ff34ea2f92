"""A long list: what the browser observes, moves, writes and animates follows from what changes, not from its length."""

import random
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
from playwright.async_api import Page, Route, expect

from tests.api.stage import RunningApi, Stage
from tests.console.conftest import Window
from tests.console.test_fleet import bar, recent
from tests.lifecycle import facts as f
from tests.lifecycle import histories as h

MANY, SIZE, MOST_SLIDES = 400, 20, 10
NAMES = [f"row-{number}" for number in range(60)]
OBSERVED = """window.observed = new Set();
const { observe, unobserve } = IntersectionObserver.prototype;
IntersectionObserver.prototype.observe = function (one) { window.observed.add(one); observe.call(this, one); };
IntersectionObserver.prototype.unobserve = function (one) { window.observed.delete(one); unobserve.call(this, one); }"""
SKIPPABLE = "(all) => all.filter((one) => getComputedStyle(one).contentVisibility === 'auto').length"
ARRANGED = """async (orders) => {
  const fleet = document.querySelector("script[src$='fleet.js']").src;
  const { Blocks } = await import(fleet.replace("fleet.js", "blocks.js"));
  const container = document.body.appendChild(document.createElement("div"));
  const list = new Blocks(container, document.createElement("div"), () => {});
  const rows = new Map();
  for (const id of orders.flat()) rows.set(id, rows.get(id) ?? Object.assign(document.createElement("p"), { id }));
  const watching = new MutationObserver(() => {});
  watching.observe(container, { childList: true, subtree: true });
  return orders.map((order) => {
    list.arrange(order.map((id) => rows.get(id)));
    const added = watching.takeRecords().flatMap((change) => [...change.addedNodes]).filter((one) => one.id);
    const blocks = [...container.children];
    return {
      order: [...container.querySelectorAll("p")].map((one) => one.id),
      added: added.length,
      sizes: blocks.map((one) => one.childElementCount),
      told: blocks.map((one) => Number(one.style.getPropertyValue("--rows"))),
    };
  });
}"""


async def many(stage: Stage, window: Window, count: int = MANY) -> tuple[RunningApi, Page]:
    """The fleet's page with so many ready instances."""
    await stage.projector()
    api = await stage.api()
    await api.projected(await stage.happened(*recent(h.a_ready_instance(name="one"))))
    [shown] = (await api.client.get("/instances")).json()["items"]

    async def listed(route: Route) -> None:
        answer = await route.fetch()
        items = [{**shown, "id": str(uuid4())} for _ in range(count)]
        await route.fulfill(response=answer, json={"items": items, "next_cursor": None})

    page = await window.open(api, "/sign-in")
    await page.add_init_script(OBSERVED)
    await page.route(lambda url: "/instances?" in url and "status=ready" in url, listed)
    await page.goto(api.url)
    await expect(page.locator("#rows .row")).to_have_count(count)
    return api, page


async def test_a_browser_observes_and_skips_blocks_rather_than_rows(stage: Stage, window: Window) -> None:
    _, page = await many(stage, window)
    assert await page.evaluate("window.observed.size") == MANY / SIZE
    assert await page.locator("*").evaluate_all(SKIPPABLE) == MANY / SIZE


@pytest.mark.parametrize("width", [900, 1280])
async def test_the_list_is_as_high_while_it_is_skipped_as_when_it_was_scrolled_through(
    stage: Stage, window: Window, width: int
) -> None:
    _, page = await many(stage, window)
    await page.set_viewport_size({"width": width, "height": 800})
    first = await page.evaluate("document.querySelector('.row[data-id]').getBoundingClientRect().height")
    assert await page.evaluate("document.getElementById('rows').getBoundingClientRect().height") == MANY * first
    await page.set_viewport_size({"width": width, "height": 800 + round(MANY * first)})
    assert await page.evaluate("document.getElementById('rows').getBoundingClientRect().height") == MANY * first


@pytest.mark.parametrize(
    ("order", "moves"),
    [
        ([*NAMES[1:], NAMES[0]], 1),
        ([NAMES[-1], *NAMES[:-1]], 1),
        ([*NAMES[:5], *NAMES[7:50], *NAMES[5:7], *NAMES[50:]], 2),
        ([*NAMES[40:], *NAMES[:40]], 20),
        (NAMES[7:30], 0),
    ],
    ids=["one down", "one up", "two neighbours down", "the end up", "only some"],
)
async def test_an_order_is_reached_by_as_few_moves_as_possible(
    stage: Stage, window: Window, order: list[str], moves: int
) -> None:
    page = await window.open(await stage.api())
    _, came = await page.evaluate(ARRANGED, [NAMES, order])
    assert came["order"] == order
    assert came["added"] == moves


async def test_blocks_stay_of_a_size_whatever_is_listed(stage: Stage, window: Window) -> None:
    page = await window.open(await stage.api())
    chance = random.Random(14)  # noqa: S311  the same orders in every run
    orders: list[list[str]] = [[]]
    for _ in range(40):
        fewer = chance.sample(NAMES, chance.randrange(len(NAMES)))
        orders.append(chance.choice([fewer, sorted(fewer, key=NAMES.index), NAMES, NAMES[chance.randrange(60) :]]))
    for order, came in zip(orders, await page.evaluate(ARRANGED, orders), strict=True):
        assert came["order"] == order
        assert all(0 < size <= 2 * SIZE for size in came["sizes"])
        assert came["told"] == came["sizes"]


async def test_bars_slide_while_few_move_and_jump_while_many_do(stage: Stage, window: Window) -> None:
    """All within one moment, as the page's clock stands still."""
    api = await stage.api()
    made = [await stage.happened(*recent(h.a_launch())) for _ in range(2 * MOST_SLIDES)]
    page = await window.open(api, "/sign-in")
    await page.clock.set_fixed_time(datetime.now(UTC))
    await page.goto(api.url)
    for instance in made:
        await expect(bar(page, instance)).to_have_attribute("aria-valuenow", "50")
    await page.clock.set_fixed_time(datetime.now(UTC) + timedelta(minutes=1))
    await page.evaluate("window.slides = 0; addEventListener('transitionrun', () => window.slides++)")
    for number, instance in enumerate(made, 1):
        await stage.happened(f.ssh_install_started(), instance_id=instance.id)
        await expect(bar(page, instance)).to_have_attribute("aria-valuenow", "55")
        await page.wait_for_function("(least) => window.slides >= least", arg=min(number, MOST_SLIDES))
    await page.clock.set_fixed_time(datetime.now(UTC) + timedelta(minutes=2))
    await stage.happened(f.ssh_install_completed(), instance_id=made[0].id)
    await expect(bar(page, made[0])).to_have_attribute("aria-valuenow", "60")
    await page.wait_for_function("(least) => window.slides >= least", arg=MOST_SLIDES + 1)
    assert await page.evaluate("window.slides") == MOST_SLIDES + 1


async def test_rows_out_of_view_are_not_written_by_the_clock(stage: Stage, window: Window) -> None:
    """Each second writes the times in view, or near it, alone; what is scrolled to is written as it comes."""
    _, page = await many(stage, window)
    times = "[...document.querySelectorAll('#rows .row [data-of=time]')].map((one) => one.textContent)"
    before = await page.evaluate(times)
    await expect(page.locator("#rows .row").first.locator("[data-of=time]")).not_to_have_text(before[0])
    after = await page.evaluate(times)
    assert 0 < sum(one != other for one, other in zip(before, after, strict=True)) <= 3 * SIZE
    await page.locator("#rows .row").last.scroll_into_view_if_needed()
    await expect(page.locator("#rows .row").last.locator("[data-of=time]")).not_to_have_text(before[-1])
