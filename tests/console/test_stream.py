"""The page's connection to the event stream: who holds one, and for how long."""

from playwright.async_api import Page, expect

from tests.api.fakes import free_port
from tests.api.stage import ADMIN_KEY, Stage
from tests.console.conftest import Window
from tests.console.test_fleet import api_at, bar, recent, stayed, stays
from tests.console.test_pages import complaints
from tests.lifecycle import facts as f
from tests.lifecycle import histories as h

BEHIND = "Object.defineProperty(document, 'visibilityState', { get: () => window.shown ? 'visible' : 'hidden' })"
UNSEEN_MS = 30_000


async def looked_at(page: Page, *, shown: bool) -> None:
    await page.evaluate(
        "(shown) => { window.shown = shown; document.dispatchEvent(new Event('visibilitychange')) }", shown
    )


async def test_a_tab_that_was_opened_behind_another_takes_no_connection_until_it_is_looked_at(
    stage: Stage, window: Window
) -> None:
    await stage.projector()
    api = await stage.api()
    instance = await stage.happened(*recent(h.a_launch()))
    await api.projected(instance)
    page = await window.open(api, "/sign-in")
    await page.add_init_script(BEHIND)
    await page.goto(api.url)
    await expect(bar(page, instance)).to_have_attribute("aria-valuenow", "50")
    await expect(page.locator("#live")).to_have_text("paused")
    await stage.happened(f.ssh_install_started(), instance_id=instance.id)
    await looked_at(page, shown=True)
    await expect(page.locator("#live")).to_have_text("live")
    await expect(bar(page, instance)).to_have_attribute("aria-valuenow", "55")


async def test_a_page_whose_session_is_over_is_told_nothing_more_and_says_so(stage: Stage, window: Window) -> None:
    window.forgives = "status of 401"
    await stage.projector()
    api = await stage.api(session_seconds=3.0, ping_seconds=0.1)
    instance = await stage.happened(*recent(h.a_launch()))
    await api.projected(instance)
    page = await window.open(api)
    await page.evaluate(f"window.shown = true; {BEHIND}")
    await expect(page.locator("#live")).to_have_text("live")
    await expect(bar(page, instance)).to_have_attribute("aria-valuenow", "50")
    await stays(page)
    over = page.get_by_role("alert").filter(has_text="You are signed out")
    await expect(over).to_be_visible()
    await expect(page.locator("#live")).to_have_text("signed out")
    await expect(over.get_by_role("link")).to_have_attribute("href", "/sign-in?next=%2F")
    assert await complaints(page) == []
    await stage.happened(f.ssh_install_started(), instance_id=instance.id)
    await page.context.request.post(f"{api.url}/sign-in", form={"key": ADMIN_KEY}, max_redirects=0)
    await expect(bar(page, instance)).to_have_attribute("aria-valuenow", "50")
    await looked_at(page, shown=True)
    await expect(bar(page, instance)).to_have_attribute("aria-valuenow", "55")
    await expect(over).to_be_hidden()
    assert await stayed(page)


async def test_a_tab_that_nobody_looks_at_lets_go_even_when_it_was_cut_off_meanwhile(
    stage: Stage, window: Window
) -> None:
    window.forgives = "net::ERR_"
    port = free_port()
    async with api_at(stage, port) as api:
        page = await window.open(api, "/sign-in")
        await page.add_init_script(f"window.shown = true; {BEHIND}")
        await page.clock.install()
        await page.goto(api.url)
        await expect(page.locator("#live")).to_have_text("live")
        await looked_at(page, shown=False)
    await expect(page.locator("#live")).to_have_text("reconnecting")
    async with api_at(stage, port):
        await expect(page.locator("#live")).to_have_text("live")
        await page.clock.fast_forward(UNSEEN_MS)
        await expect(page.locator("#live")).to_have_text("paused")
        await page.evaluate("dispatchEvent(new Event('online'))")
        await expect(page.locator("#live")).to_have_text("paused")
        await looked_at(page, shown=True)
        await expect(page.locator("#live")).to_have_text("live")
        await page.close()
