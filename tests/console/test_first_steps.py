"""What there is to do until an endpoint has answered for the first time."""

from datetime import UTC, datetime

from playwright.async_api import Locator, Page, expect

from tests.api.stage import ADMIN_KEY, Stage
from tests.api.used import used
from tests.console.conftest import Window
from tests.console.test_fleet import recent
from tests.console.test_pages import complaints
from tests.console.test_usage import seeded
from tests.lifecycle import histories as h


def step(page: Page, name: str) -> Locator:
    return page.locator(f"#first-steps [data-step={name}]")


async def test_each_step_is_ticked_off_once_it_is_done(stage: Stage, window: Window) -> None:
    await stage.projector()
    api = await stage.api()
    page = await window.open(api)
    await expect(page.get_by_role("heading", name="Your first endpoint")).to_be_visible()
    assert await complaints(page) == []
    request, *rest = recent(h.a_ready_instance())
    launching = await stage.happened(request)
    await expect(step(page, "launched")).to_have_attribute("data-done", "")
    await expect(step(page, "waited")).to_contain_text(f"{launching.specification.name}: ")
    await expect(step(page, "waited")).not_to_have_attribute("data-done", "")
    await stage.happened(*rest, instance_id=launching.id)
    await expect(step(page, "waited")).to_contain_text("Done: Wait until it is ready.")
    await expect(step(page, "answered")).not_to_have_attribute("data-done", "")
    await seeded(stage, [used(datetime.now(UTC))])
    await expect(step(page, "answered")).to_have_attribute("data-done", "")
    await expect(page.locator("#announcements")).to_contain_text("Your first endpoint has answered.")


async def test_who_has_used_an_endpoint_reads_none_of_it(stage: Stage, window: Window) -> None:
    await seeded(stage, [used(datetime.now(UTC))])
    api = await stage.api()
    page = await window.page()
    async with page.expect_response("**/usage?*") as asked:
        await page.context.request.post(f"{api.url}/sign-in", form={"key": ADMIN_KEY}, max_redirects=0)
        await page.goto(api.url)
    await (await asked.value).finished()
    await expect(page.locator("#nothing, #none").and_(page.locator(":visible"))).to_contain_text("no instance yet")
    await expect(page.locator("#first-steps")).to_be_hidden()
