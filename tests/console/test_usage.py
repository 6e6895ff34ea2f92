"""The page of usage: what the API says of a period and an organisation, in pictures and tables."""

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from io import StringIO
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from uuid import UUID, uuid4

import pytest
import pytest_asyncio
from playwright.async_api import Page, expect

from services.api.usage.log import Usage
from services.api.usage.repository import UsageRepository
from shared.lifecycle.instance import Instance
from shared.postgres.connection import connect_pool
from tests.api.stage import MODEL, RunningApi, Stage
from tests.api.used import NOBODY, NOON, used
from tests.console.conftest import Window
from tests.console.test_pages import complaints
from tests.lifecycle import facts as f

PATH = "/console/usage"
OTHER_MODEL = "mistralai/Mistral-7B-Instruct-v0.3"
PERIOD = {"from": "2026-01-01", "to": "2026-01-10"}
ASKED = "?from=2026-01-01&to=2026-01-10"


async def seeded(stage: Stage, rows: Sequence[Usage]) -> None:
    async with connect_pool(stage.database_url, name="test") as pool:
        await UsageRepository(pool).add(rows)


async def cost(
    stage: Stage, api: RunningApi, since: datetime, until_: datetime | None, *, price: float | None = 1.0, **more: Any
) -> Instance:
    """An instance whose server was on so long, or is."""
    currency = more.pop("currency", "EUR")
    history: list[Any] = [
        f.instance_requested(specification=f.a_specification(**more)),
        f.instance_created(hourly_price=price, currency=currency),
        f.instance_started(occurred_at=since),
    ]
    if until_ is not None:
        history += [f.termination_requested(), f.instance_terminated(occurred_at=until_)]
    made = await stage.happened(*history)
    await api.projected(made)
    return made


@dataclass
class Used:
    """Two organisations and what is shared: 3 days of cost, and 7 requests for two models, of which 2 failed."""

    stage: Stage
    api: RunningApi
    acme: UUID
    acme_key: dict[str, Any]
    shared: Instance

    async def seen(self, window: Window, path: str = ASKED, **options: Any) -> Page:
        page = await window.open(self.api, PATH + path, **options)
        await expect(page.locator("#models")).not_to_contain_text("Loading")
        return page


@pytest_asyncio.fixture(loop_scope="session")
async def some(stage: Stage) -> Used:
    await stage.projector()
    api = await stage.api()
    acme, globex = [UUID((await api.organization(slug))["id"]) for slug in ("acme", "globex")]
    made = await api.client.post("/api-keys", json={"name": "=acme, the backend", "organization": "acme"})
    key = dict(made.json())
    shared = await cost(stage, api, NOON, NOON + timedelta(hours=2), price=0.75, name="evening")
    await cost(stage, api, NOON, NOON + timedelta(hours=14), organization_id=str(acme))
    await cost(stage, api, NOON + timedelta(days=3), NOON + timedelta(days=3, hours=4), organization_id=str(globex))
    ours: dict[str, Any] = {"key_id": UUID(key["id"]), "organization_id": acme, "instance_id": shared.id}
    rows = [
        *(used(**ours) for _ in range(4)),
        used(**ours, status=502, first_byte_ms=None, prompt_tokens=None),
        used(NOON + timedelta(days=1), model=OTHER_MODEL, organization_id=globex),
        used(NOON + timedelta(days=1), model=OTHER_MODEL, organization_id=globex, status=500),
    ]
    await seeded(stage, rows)
    return Used(stage, api, acme, key, shared)


async def cells(page: Page, rows: str) -> list[list[str]]:
    found: list[list[str]] = await page.locator(rows).evaluate_all(
        "(rows) => rows.map((row) => [...row.cells].map((cell) => cell.textContent))"
    )
    return found


def content(path: Path) -> str:
    return path.read_bytes().decode()


async def downloaded(page: Page, button: str) -> tuple[str, str]:
    """What the file is called, and what is in it."""
    async with page.expect_download() as coming:
        await page.get_by_role("button", name=button).click()
    download = await coming.value
    with TemporaryDirectory() as folder:
        path = Path(folder) / download.suggested_filename
        await download.save_as(path)
        return path.name, content(path)


async def test_costs_are_those_that_the_api_tells_by_day_and_organisation(some: Used, window: Window) -> None:
    page = await some.seen(window)
    picture = page.get_by_role("img", name="Cost by day, 2026-01-01 to 2026-01-10, in EUR")
    await expect(picture).to_be_visible()
    items = (await some.api.client.get("/costs", params=PERIOD)).json()["items"]
    assert sum(item["cost"] for item in items) == pytest.approx(1.5 + 14 + 4)
    await expect(page.locator("#costs .sums")).to_have_text("€19.50in all€1.95a day, the mean of 10")
    await expect(page.get_by_role("list", name="Organisations").get_by_role("listitem")).to_have_text(
        ["acme €14.00", "globex €4.00", "shared €1.50"]
    )
    assert await picture.locator("g > title").all_text_contents() == [
        "Jan 2: €13.50 (acme €12.00, shared €1.50)",
        "Jan 3: €2.00 (acme €2.00)",
        "Jan 5: €4.00 (globex €4.00)",
    ]
    await page.get_by_text("The same as a table").click()
    table = await cells(page, "#costs tbody tr")
    assert table[-3:] == [["2026-01-02", "acme", "€12.00"], ["2026-01-02", "shared", "€1.50"], ["2026-01-01", "—", "—"]]
    assert [row[0] for row in table] == [f"2026-01-{day:02}" for day in (10, 9, 8, 7, 6, 5, 4, 3, 2, 2, 1)]


async def test_what_no_sum_can_count_is_said_beneath(some: Used, window: Window) -> None:
    page = await some.seen(window)
    await expect(page.locator("#costs")).not_to_contain_text("Not in these sums")
    await cost(some.stage, some.api, NOON, NOON + timedelta(hours=1), price=None)
    await page.reload()
    await expect(page.locator("#costs > .hint")).to_have_text(
        "Not in these sums: 1 instance with a server on at an unknown price."
    )


async def test_a_day_without_any_cost_is_a_gap_and_bars_begin_at_zero(some: Used, window: Window) -> None:
    page = await some.seen(window)
    bars = page.get_by_role("img", name="Cost by day").locator("g")
    boxes = [await bars.nth(at).bounding_box() for at in range(3)]
    second, third, fifth = (box["x"] + box["width"] / 2 for box in boxes if box)
    assert fifth - third == pytest.approx(2 * (third - second), abs=2)
    ends = [box["y"] + box["height"] for box in boxes if box]
    assert ends == pytest.approx([ends[0]] * 3, abs=1)
    heights = [box["height"] for box in boxes if box]
    assert heights[0] / heights[2] == pytest.approx(13.5 / 4, rel=0.05)


async def test_beside_the_last_bar_stand_those_who_have_a_part_in_it(some: Used, window: Window) -> None:
    page = await some.seen(window)
    words = await page.locator("#costs svg text:not([class])").all_text_contents()
    assert words == ["globex"]


async def test_those_who_cost_least_are_one_colour_and_a_slug_may_be_any_word(some: Used, window: Window) -> None:
    for hours, slug in enumerate(("shared", "initech", "hooli", "umbrella"), start=5):
        made = await some.api.organization(slug)
        await cost(some.stage, some.api, NOON, NOON + timedelta(hours=hours), organization_id=made["id"])
    page = await some.seen(window)
    await expect(page.get_by_role("list", name="Organisations").get_by_role("listitem")).to_have_text(
        ["acme €14.00", "umbrella €8.00", "hooli €7.00", "initech €6.00", "shared €5.00", "2 others €5.50"]
    )
    told = page.get_by_role("img", name="Cost by day").locator("g > title").first
    await expect(told).to_contain_text("shared €5.00, 2 others €1.50")


async def test_currencies_have_a_picture_each_and_are_never_added_up(some: Used, window: Window) -> None:
    await cost(some.stage, some.api, NOON, NOON + timedelta(hours=3), currency="USD")
    page = await some.seen(window)
    await expect(page.locator("#costs .sums b:first-child").first).to_have_text("€19.50")
    await expect(page.locator("[data-currency=USD] .sums")).to_contain_text("$3.00in all")
    await expect(page.get_by_role("img", name="in USD")).to_be_visible()


async def test_what_is_still_running_is_counted_so_far(some: Used, window: Window) -> None:
    await cost(some.stage, some.api, datetime.now(UTC) - timedelta(minutes=1), None)
    page = await some.seen(window, "?period=7")
    await expect(page.locator("#costs .sums")).to_contain_text("in all, so far")
    await expect(page.get_by_role("img", name="Cost by day").get_by_text("so far", exact=True)).to_be_visible()
    await page.get_by_text("The same as a table").click()
    await expect(page.locator("#costs tbody tr").first).to_contain_text(f"{datetime.now(UTC).date()}, so far")


async def test_requests_are_those_that_the_api_tells_by_model(some: Used, window: Window) -> None:
    page = await some.seen(window)
    await expect(page.locator("#requests-sum")).to_have_text("7 requests (2 failed)")
    picture = page.get_by_role("img", name="Requests by model")
    assert await picture.locator("g > title").all_text_contents() == [
        f"{MODEL}: 5 (1 failed)",
        f"{OTHER_MODEL}: 2 (1 failed)",
    ]
    assert await picture.locator(".failed").count() == 2, "hatched, and said in words"
    await expect(page.get_by_role("list", name="Requests").get_by_role("listitem")).to_have_text(["answered", "failed"])
    items = (await some.api.client.get("/usage", params={**PERIOD, "group_by": "model"})).json()["items"]
    shown = await cells(page, "#sums tbody tr")
    assert shown == [
        [MODEL, "5", "1", "400", "100", "40 ms", "40 ms", "1.5 s", "1.5 s"],
        [OTHER_MODEL, "2", "1", "200", "40", "40 ms", "40 ms", "1.5 s", "1.5 s"],
    ]
    assert [(item["requests"], item["prompt_tokens"], item["first_byte_ms"]["p95"]) for item in items] == [
        (5, 400, 40.0),
        (2, 200, 40.0),
    ]
    await expect(page.locator("#untold")).to_contain_text("did not report all tokens: 1.")


async def test_the_table_is_by_what_one_chooses_with_names_in_place_of_ids(some: Used, window: Window) -> None:
    page = await some.seen(window)
    names = page.locator("#sums tbody th")
    by = page.get_by_label("by", exact=True)
    await by.select_option("key")
    await expect(names).to_have_text(["=acme, the backend", str(NOBODY)[:8]])
    await by.select_option("organization")
    await expect(names).to_have_text(["acme", "globex"])
    await by.select_option("day")
    await expect(names).to_have_text(["2026-01-03", "2026-01-02"])
    await by.select_option("instance")
    await expect(names).to_have_text(["evening", str(NOBODY)[:8]])
    await page.reload()
    await expect(by).to_have_value("instance")
    await page.get_by_role("link", name="evening").click()
    await page.wait_for_url(f"**/console/instances/{some.shared.id}")


async def test_a_day_is_typed_without_being_taken_out_of_hand(some: Used, window: Window) -> None:
    """Chromium has the 2nd year, the 20th and the 202nd on the way to 2026."""
    page = await some.seen(window)
    to = page.get_by_label("To", exact=True)
    async with page.expect_response("**/costs?*to=2026-01-04*"):
        await to.focus()
        await page.keyboard.type("01042026", delay=100)
    await expect(to).to_be_focused()
    await expect(to).to_have_value("2026-01-04")
    await expect(page.get_by_label("From", exact=True)).to_have_value("2026-01-01")
    await expect(page.locator("#models")).to_contain_text("2026-01-04")


async def test_a_year_that_is_left_half_typed_is_said_to_be_wrong(some: Used, window: Window) -> None:
    window.forgives = "status of 4"
    page = await some.seen(window)
    await page.get_by_label("To", exact=True).focus()
    await page.keyboard.type("010420", delay=50)
    await expect(page.get_by_role("alert")).to_have_count(0)
    await page.get_by_label("Organisation", exact=True).focus()
    await expect(page.locator("#from-error")).to_contain_text("is after 0020-01-04")


async def test_an_administrator_chooses_one_organisation_and_the_address_keeps_it(some: Used, window: Window) -> None:
    page = await some.seen(window)
    await page.get_by_label("Organisation", exact=True).select_option("globex")
    await expect(page.locator("#costs .sums")).to_contain_text("€4.00in all")
    await expect(page.locator("#requests-sum")).to_have_text("2 requests (1 failed)")
    await page.reload()
    await expect(page.get_by_label("Organisation", exact=True)).to_have_value("globex")
    await expect(page.locator("#requests-sum")).to_have_text("2 requests (1 failed)")


async def test_an_organisation_that_there_is_not_is_said(some: Used, window: Window) -> None:
    window.forgives = "404"
    page = await window.open(some.api, f"{PATH}?organization=nobody")
    await expect(page.get_by_role("alert")).to_contain_text("There is no such organisation")
    await expect(page.locator("#figures")).to_be_hidden()


async def test_a_period_is_a_choice_or_two_days(some: Used, window: Window) -> None:
    today = datetime.now(UTC).date()
    page = await some.seen(window, "")
    begin, end = page.get_by_label("From", exact=True), page.get_by_label("To", exact=True)
    await expect(begin).to_have_value(str(today - timedelta(days=29)))
    for name, first, kept in (
        ("7 days", today - timedelta(days=6), "?period=7"),
        ("This month", today.replace(day=1), "?period=month"),
        ("30 days", today - timedelta(days=29), ""),
    ):
        await page.get_by_text(name, exact=True).click()
        await expect(begin).to_have_value(str(first))
        await expect(end).to_have_value(str(today))
        assert page.url == some.api.url + PATH + kept
    await begin.fill("2026-01-01")
    await end.fill("2026-01-10")
    await expect(page.get_by_role("radio", name="Dates")).to_be_checked()
    await expect(page.locator("#requests-sum")).to_have_text("7 requests (2 failed)")
    assert page.url == some.api.url + PATH + ASKED


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("?from=2026-02-01&to=2026-01-01", "2026-02-01 is after 2026-01-01."),
        ("?from=2020-01-01&to=2026-01-01", "at most 366 days at once."),
        ("?from=yesterday&to=2026-01-01", "Use e.g. 2026-01-31."),
    ],
)
async def test_what_is_no_period_is_said_beside_the_day_in_the_api_s_words(
    stage: Stage, window: Window, query: str, said: str
) -> None:
    window.forgives = "422"
    api = await stage.api()
    page = await window.open(api, PATH + query)
    begin = page.get_by_label("From", exact=True)
    await expect(page.locator("#from-error")).to_contain_text(said)
    await expect(begin).to_have_attribute("aria-invalid", "true")
    await expect(begin).to_be_focused()
    await expect(page.locator("#figures")).to_be_hidden()
    await begin.fill("2026-01-01")
    await expect(page.locator("#figures")).to_be_visible()
    await expect(page.locator("#from-error")).to_be_empty()


async def test_nothing_used_is_said_in_words(stage: Stage, window: Window) -> None:
    api = await stage.api()
    page = await window.open(api, PATH + ASKED)
    await expect(page.get_by_text("No server has cost anything from 2026-01-01 to 2026-01-10.")).to_be_visible()
    await expect(page.get_by_text("Nothing was used from 2026-01-01 to 2026-01-10.")).to_be_visible()
    await expect(page.get_by_role("button", name="CSV")).to_have_count(0)
    await expect(page.get_by_role("table")).to_have_count(0)


async def test_what_is_downloaded_is_what_the_api_told_and_no_formula(some: Used, window: Window) -> None:
    page = await some.seen(window)
    name, text = await downloaded(page, "Download as CSV: costs")
    assert name == "costs-2026-01-01-2026-01-10.csv"
    head, *rows = csv.reader(StringIO(text))
    assert head == ["day", "organization_id", "organization", "currency", "cost", "machine_images"]
    assert len(rows) == 4
    assert ["2026-01-02", str(some.acme), "acme", "EUR", "12", "0"] in rows
    assert ["2026-01-02", "", "shared", "EUR", "1.5", "0"] in rows
    await page.get_by_label("by", exact=True).select_option("key")
    await expect(page.locator("#sums thead")).to_contain_text("Key")
    name, text = await downloaded(page, "Download as CSV: requests")
    assert name == "requests-by-key-2026-01-01-2026-01-10.csv"
    assert text.splitlines()[1] == f'{some.acme_key["id"]},"\'=acme, the backend",5,1,400,100,1,40,40,1500,1500'


@pytest.mark.parametrize(
    ("cell", "written"),
    [
        ("plain", "plain"),
        ('a "b", c', '"a ""b"", c"'),
        ("two\nlines", '"two\nlines"'),
        ("=1+1", "'=1+1"),
        ("+1", "'+1"),
        ("-1", "'-1"),
        ("@sum(a)", "'@sum(a)"),
        ("\t=1", "'\t=1"),
        ("=a,b", '"\'=a,b"'),
        (-1, "-1"),
        (None, ""),
    ],
)
async def test_a_cell_is_quoted_and_never_a_formula(stage: Stage, window: Window, cell: object, written: str) -> None:
    page = await window.open(await stage.api(), PATH)
    module = await page.locator("link[href$='/csv.js']").get_attribute("href")
    text = await page.evaluate("async ([module, cell]) => (await import(module)).csv([[cell, 1]])", [module, cell])
    assert text == f"{written},1\r\n"


@pytest.mark.parametrize(
    ("most", "least", "axis"),
    [
        (0, 0.01, [0, 0.01]),
        (0.03, 0.01, [0, 0.01, 0.02, 0.03]),
        (1, 1, [0, 1]),
        (13.5, 0.01, [0, 5, 10, 15]),
        (40, 0.01, [0, 10, 20, 30, 40]),
        (1_234, 1, [0, 500, 1000, 1500]),
    ],
)
async def test_an_axis_begins_at_zero_and_goes_in_ones_twos_and_fives(
    stage: Stage, window: Window, most: float, least: float, axis: list[float]
) -> None:
    page = await window.open(await stage.api(), PATH)
    module = await page.locator("link[href$='/chart.js']").get_attribute("href")
    drawn = await page.evaluate(
        "async ([module, most, least]) => (await import(module)).ticks(most, { least })", [module, most, least]
    )
    assert drawn == axis


async def test_more_than_the_api_gives_at_once_is_said_to_be_cut(stage: Stage, window: Window) -> None:
    api = await stage.api()
    await seeded(stage, [used(instance_id=uuid4()) for _ in range(10_001)])
    page = await window.open(api, f"{PATH}{ASKED}&by=instance")
    await expect(page.locator("#cut")).to_contain_text("The first 300 of 10,000")
    await expect(page.locator("#cut")).to_contain_text("Only the first 10,000 sums are shown")
    await expect(page.locator("#requests-sum")).to_have_text("10,001 requests")
    _, text = await downloaded(page, "Download as CSV: requests")
    assert len(text.splitlines()) == 10_001


async def test_an_organisation_s_key_sees_what_is_its_own(some: Used, window: Window) -> None:
    page = await some.seen(window, key=some.acme_key["key"])
    await expect(page.locator("#costs .sums")).to_contain_text("€14.00in all")
    await expect(page.locator("#requests-sum")).to_have_text("5 requests (1 failed)")
    await expect(page.get_by_label("Organisation", exact=True)).to_have_count(0)
    assert await page.get_by_label("by", exact=True).locator("option").all_text_contents() == [
        "model",
        "key",
        "day",
        "instance",
    ]
    await page.get_by_label("by", exact=True).select_option("key")
    await expect(page.locator("#sums tbody th")).to_have_text(["=acme, the backend"])


async def test_a_key_of_no_organisation_sees_its_own_requests_and_no_costs(some: Used, window: Window) -> None:
    made = (await some.api.client.post("/api-keys", json={"name": "alone"})).json()
    await seeded(some.stage, [used(key_id=UUID(made["id"]))])
    page = await some.seen(window, f"{ASKED}&by=instance", key=made["key"])
    await expect(page.locator("#requests-sum")).to_have_text("1 request")
    await expect(page.get_by_role("heading", name="Cost")).to_have_count(0)
    await expect(page.locator("#sums tbody th")).to_have_text([str(NOBODY)[:8]])
    await expect(page.locator("#sums").get_by_role("link")).to_have_count(0)
    await expect(page.get_by_role("link", name="Usage")).to_have_attribute("aria-current", "page")


async def test_nothing_keeps_anybody_from_using_the_page(some: Used, window: Window) -> None:
    page = await some.seen(window)
    await page.get_by_text("The same as a table").click()
    assert await complaints(page) == []
    window.forgives = "422"
    await page.get_by_label("From", exact=True).fill("2026-03-01")
    await expect(page.get_by_role("alert")).to_be_visible()
    assert await complaints(page) == []


async def test_the_page_fits_a_telephone_and_its_pictures_follow_the_width(some: Used, window: Window) -> None:
    page = await some.seen(window, viewport={"width": 1200, "height": 800})
    picture = page.get_by_role("img", name="Cost by day")
    wide = await picture.bounding_box()
    await page.set_viewport_size({"width": 360, "height": 740})
    await expect(picture).not_to_have_attribute("width", str(round(wide["width"] if wide else 0)))
    await page.get_by_text("The same as a table").click()
    assert await page.evaluate("document.documentElement.scrollWidth") <= 360
    for name in ("Cost by day", "Requests by model"):
        box = await page.get_by_role("img", name=name).bounding_box()
        assert box is not None
        assert box["x"] + box["width"] <= 360
