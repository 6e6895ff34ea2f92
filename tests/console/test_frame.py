"""The frame of every page: one line on a telephone, with the pages behind a button."""

import re

from playwright.async_api import Page, expect

from tests.api.stage import Stage
from tests.console.conftest import Window
from tests.console.test_pages import complaints

PHONE = {"width": 360, "height": 740}
SIMULATED = ("cloud", "hub")


async def height_of_the_frame(page: Page) -> float:
    box = await page.locator("header.top").bounding_box()
    assert box is not None
    return box["height"]


async def test_on_a_telephone_the_frame_is_one_line_and_a_button_shows_the_pages(stage: Stage, window: Window) -> None:
    page = await window.open(await stage.api(simulated=SIMULATED), viewport=PHONE)
    assert await height_of_the_frame(page) < 64
    assert await page.evaluate("document.documentElement.scrollWidth") <= 360
    pages, button = page.get_by_role("navigation", name="Pages"), page.get_by_role("button", name="Pages")
    await expect(pages).to_be_hidden()
    await button.press("Enter")
    await expect(pages.get_by_role("link", name="Fleet")).to_have_attribute("aria-current", "page")
    assert await complaints(page) == []
    await page.keyboard.press("Escape")
    await expect(pages).to_be_hidden()
    await button.click()
    await pages.get_by_role("link", name="Usage").click()
    await expect(page).to_have_title(re.compile("Usage"))
    await expect(pages).to_be_hidden()


async def test_on_a_wide_screen_the_pages_are_there_without_a_button(stage: Stage, window: Window) -> None:
    page = await window.open(await stage.api(simulated=SIMULATED), viewport={"width": 1280, "height": 800})
    await expect(page.get_by_role("button", name="Pages")).to_be_hidden()
    await expect(page.get_by_role("navigation", name="Pages").get_by_role("link", name="Fleet")).to_be_visible()
    assert await height_of_the_frame(page) < 110
