"""Who asked for what, on a page of the console and on an instance's own."""

from playwright.async_api import Page, expect

from tests.api.audit.reading import of_subject
from tests.api.stage import BODY, RunningApi, Stage
from tests.console.conftest import Window
from tests.console.test_pages import complaints


async def launched(stage: Stage) -> tuple[RunningApi, str]:
    await stage.projector()
    api = await stage.api()
    instance = (await api.client.post("/instances", json=BODY | {"name": "qwen"})).json()["id"]
    await of_subject(api, instance, 1)
    return api, instance


async def types(page: Page) -> list[str]:
    return await page.locator("#rows th").all_text_contents()


async def test_entries_say_who_asked_for_what_and_lead_to_it(stage: Stage, window: Window) -> None:
    api, instance = await launched(stage)
    await api.organization("acme")
    page = await window.open(api, "/console/audit")
    assert await types(page) == ["SignedIn", "OrganizationCreated", "InstanceRequested"]
    row = page.get_by_role("row", name="InstanceRequested")
    await expect(row).to_contain_text("COLDSTART_ADMIN_KEY")
    await expect(row).to_contain_text("model: Qwen/Qwen2.5-0.5B-Instruct")
    await expect(page.get_by_role("row", name="SignedIn")).to_contain_text("in the console")
    await expect(page.locator("nav a[aria-current=page]")).to_have_text("Audit")
    assert await complaints(page) == []
    await row.get_by_role("link", name="qwen").click()
    await expect(page).to_have_url(f"{api.url}/console/instances/{instance}")
    await expect(page.locator("#events > li").first).to_contain_text("asked for by key COLDSTART_ADMIN_KEY")


async def test_the_filters_are_in_the_address_and_say_when_nothing_is_like_this(stage: Stage, window: Window) -> None:
    api, _ = await launched(stage)
    page = await window.open(api, "/console/audit")
    await page.get_by_label("Type").select_option("InstanceRequested")
    await page.get_by_label("Of what").fill("qwen")
    await page.get_by_role("button", name="Filter").click()
    await expect(page.locator("#rows tr")).to_have_count(1)
    await expect(page.get_by_label("Of what")).to_have_value("qwen")
    await page.get_by_label("To", exact=True).fill("2026-01-01")
    await page.keyboard.press("Enter")
    await expect(page.get_by_text("No entry is like this")).to_be_visible()
    assert await complaints(page) == []
    await page.get_by_role("link", name="Show all entries").click()
    assert await types(page) == ["SignedIn", "InstanceRequested"]


async def test_older_entries_are_on_further_pages_with_the_same_filters(stage: Stage, window: Window) -> None:
    api = await stage.api()
    for number in range(55):
        assert (await api.client.post("/api-keys", json={"name": f"key {number}"})).status_code == 201
    page = await window.open(api, "/console/audit?type=ApiKeyCreated")
    await expect(page.locator("#rows tr")).to_have_count(50)
    await page.get_by_role("link", name="Older entries").click()
    await expect(page.locator("#rows tr")).to_have_count(5)
    await expect(page.locator("#rows tr").last).to_contain_text("key 0")
    await expect(page.get_by_label("Type")).to_have_value("ApiKeyCreated")


async def test_a_member_sees_what_is_of_its_organisation_also_on_a_telephone(stage: Stage, window: Window) -> None:
    api, _ = await launched(stage)
    await api.organization("acme")
    key = await api.user_key("acme")
    page = await window.open(api, "/console/audit", key=key, viewport={"width": 360, "height": 740})
    assert await types(page) == ["SignedIn", "ApiKeyCreated", "OrganizationCreated"]
    await expect(page.get_by_label("Organisation")).to_have_count(0)
    assert await page.evaluate("document.documentElement.scrollWidth") <= 360
    assert await complaints(page) == []
