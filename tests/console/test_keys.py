"""The keys: making one that is shown once, changing what it may, and refusing it from then on."""

import asyncio
import re
from typing import Any

import pytest
from playwright.async_api import Locator, Page, Route, expect

from tests.api.stage import MODEL, RunningApi, Stage
from tests.console.conftest import Window
from tests.console.test_fleet import tabbed
from tests.console.test_launch import is_wrong
from tests.console.test_pages import complaints

PATH = "/console/keys"
AT_ONCE = 100
LIMITS: dict[str, Any] = {
    "requests_per_minute": 600,
    "tokens_per_minute": 1_000_000,
    "max_concurrent": 8,
    "allowed_models": [MODEL, "acme/chat", "acme/more"],
}


def key_row(page: Page, name: str) -> Locator:
    return page.locator("#rows tr").filter(has=page.get_by_text(name, exact=True))


async def make(page: Page, name: str) -> None:
    """Up to the form that is filled in, but not sent."""
    await page.get_by_role("button", name="Make a key").click()
    await page.get_by_label("Name").fill(name)


async def send(page: Page, verb: str = "Make") -> None:
    await page.get_by_role("dialog").get_by_role("button", name=verb, exact=True).click()


async def admin_key(api: RunningApi, name: str) -> str:
    return str((await api.client.post("/api-keys", json={"name": name, "role": "admin"})).json()["key"])


async def status(api: RunningApi, key: str) -> int:
    async with api.as_(key) as client:
        return (await client.get("/v1/models")).status_code


async def listed(api: RunningApi) -> list[dict[str, Any]]:
    return list((await api.client.get("/api-keys")).json()["items"])


async def test_a_key_is_shown_once_works_and_is_refused_once_revoked(stage: Stage, window: Window) -> None:
    api = await stage.api()
    acme = await api.organization("acme")
    page = await window.open(api, PATH)
    await page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    await expect(page.get_by_text("There is no key yet but that of the settings.")).to_be_visible()
    await make(page, "backend")
    await page.get_by_label("Organisation").select_option("acme")
    await page.get_by_label("Requests a minute").fill("600")
    await page.get_by_label("Models").fill(f"acme/chat\n\n {MODEL} \n")
    await send(page)
    made = page.locator("#made")
    await expect(made).to_contain_text("It is shown only now.")
    await expect(made).to_be_focused()
    key = str(await page.locator("#made-key").text_content())
    assert await status(api, key) == 200
    await made.get_by_role("button", name="Copy").click()
    await expect(made.get_by_role("button", name="Copied")).to_be_visible()
    assert await page.evaluate("navigator.clipboard.readText()") == key
    (found,) = await listed(api)
    assert found == found | {
        "name": "backend",
        "role": "user",
        "organization_id": acme["id"],
        "requests_per_minute": 600,
        "tokens_per_minute": None,
        "max_concurrent": None,
        "allowed_models": ["acme/chat", MODEL],
    }
    row = key_row(page, "backend")
    for words in (found["prefix"], "user", "acme", "600", MODEL):
        await expect(row).to_contain_text(words)
    await made.get_by_role("button", name="I have it").click()
    assert key not in await page.content()
    await page.reload()
    await expect(row).to_be_visible()
    assert key not in await page.content()
    await row.get_by_role("button", name="Revoke").click()
    await expect(page.get_by_role("dialog")).to_contain_text("This cannot be undone.")
    await expect(page.get_by_role("dialog")).not_to_contain_text("signed out")
    await page.keyboard.press("Escape")
    assert await status(api, key) == 200
    await row.get_by_role("button", name="Revoke").click()
    await send(page, "Revoke")
    await expect(row).to_have_count(0)
    assert await status(api, key) == 401
    await expect(page.get_by_role("button", name="Make a key")).to_be_focused()


async def test_by_keyboard_alone_an_administrator_s_key_is_made(stage: Stage, window: Window) -> None:
    api = await stage.api()
    page = await window.open(api, PATH)
    await expect(page.get_by_text("There is no key yet")).to_be_visible()
    await tabbed(page, page.get_by_role("button", name="Make a key"))
    await page.keyboard.press("Enter")
    await expect(page.get_by_label("Name")).to_be_focused()
    await page.keyboard.type("anna")
    await page.keyboard.press("Tab")
    await page.keyboard.type("Admin")
    await page.get_by_label("Name").focus()
    await page.keyboard.press("Enter")
    await expect(page.locator("#made")).to_be_focused()
    assert [(one["name"], one["role"]) for one in await listed(api)] == [("anna", "admin")]


async def test_limits_are_changed_and_taken_away(stage: Stage, window: Window) -> None:
    api = await stage.api()
    await api.client.post("/api-keys", json={"name": "ci", **LIMITS})
    page = await window.open(api, PATH)
    row = key_row(page, "ci")
    await expect(row).to_contain_text("1,000,000")
    await expect(row).to_contain_text("and 1 more")
    await row.get_by_role("button", name="Limits").click()
    await expect(page.get_by_label("Name")).to_be_hidden()
    await expect(page.get_by_label("Requests a minute")).to_have_value("600")
    await expect(page.get_by_label("Models")).to_have_value("\n".join(LIMITS["allowed_models"]))
    await page.get_by_label("Requests a minute").fill("")
    await page.get_by_label("At once").fill("2")
    await page.get_by_label("Models").fill("")
    await send(page, "Change")
    await expect(row).to_contain_text("any")
    await expect(row.get_by_role("button", name="Limits")).to_be_focused()
    changed = {"requests_per_minute": None, "max_concurrent": 2, "allowed_models": None}
    (found,) = await listed(api)
    assert found == found | LIMITS | changed


async def test_a_wrong_input_in_every_field_is_said_next_to_it(stage: Stage, window: Window) -> None:
    window.forgives = "status of 422"
    api = await stage.api()
    await api.organization("acme")
    page = await window.open(api, PATH)
    await make(page, "")
    await page.get_by_label("Requests a minute").fill("many")
    await page.get_by_label("Tokens a minute").fill("0")
    await page.get_by_label("At once").fill("1.5")
    await page.get_by_label("Models").fill(f"{MODEL}\n{'x' * 201}")
    await send(page)
    await is_wrong(page, page.get_by_label("Name"), "name", "at least 1 character")
    await is_wrong(page, page.get_by_label("Requests a minute"), "requests_per_minute", "valid integer")
    await is_wrong(page, page.get_by_label("Tokens a minute"), "tokens_per_minute", "greater than 0")
    await is_wrong(page, page.get_by_label("At once"), "max_concurrent", "valid integer")
    await is_wrong(page, page.get_by_label("Models"), "allowed_models", "Model 2: ")
    await expect(page.get_by_label("Name")).to_be_focused()
    await expect(page.get_by_role("alert")).to_contain_text("See the errors above.")
    assert await complaints(page) == []
    await page.get_by_role("button", name="Cancel").click()
    await make(page, "both")
    await expect(page.locator("#name-error")).to_be_empty()
    await page.get_by_label("Role").select_option("admin")
    await page.get_by_label("Organisation").select_option("acme")
    await send(page)
    await is_wrong(page, page.get_by_label("Organisation"), "organization", "belongs to no organisation")
    await page.get_by_label("Role").select_option("user")
    await api.client.delete("/organizations/acme")
    await send(page)
    await is_wrong(page, page.get_by_label("Organisation"), "organization", "no organisation has the slug 'acme'")
    assert await listed(api) == []


async def test_to_revoke_the_key_that_one_is_signed_in_with_signs_out(stage: Stage, window: Window) -> None:
    window.forgives = "status of 401"
    api = await stage.api()
    key = await admin_key(api, "anna")
    await admin_key(api, "berta")
    page = await window.open(api, PATH, key=key)
    await expect(key_row(page, "anna")).to_contain_text("yours")
    await expect(key_row(page, "berta").get_by_text("yours")).to_be_hidden()
    await key_row(page, "anna").get_by_role("button", name="Revoke").click()
    await expect(page.get_by_role("dialog")).to_contain_text("You are signed in with this very key")
    await send(page, "Revoke")
    await expect(page).to_have_url(re.compile("/sign-in"))
    assert await status(api, key) == 401


async def test_what_is_refused_is_said_where_it_was_asked(stage: Stage, window: Window) -> None:
    window.forgives = "status of 409"
    api = await stage.api(admin_key=None)
    assert api.first_admin_key
    page = await window.open(api, PATH, key=api.first_admin_key)
    await expect(page.locator("#rows tr")).to_have_count(1)
    await expect(page.get_by_text("COLDSTART_ADMIN_KEY")).to_have_count(0)
    await page.get_by_role("button", name="Revoke").click()
    await send(page, "Revoke")
    await expect(page.get_by_role("dialog").get_by_role("alert")).to_contain_text("last administrator's key")
    assert await status(api, api.first_admin_key) == 200


async def test_more_keys_than_fit_a_page_come_when_they_are_asked_for(stage: Stage, window: Window) -> None:
    api = await stage.api()
    for part in range(0, AT_ONCE + 3, 20):
        names = [f"key {number}" for number in range(part, min(part + 20, AT_ONCE + 3))]
        await asyncio.gather(*(api.client.post("/api-keys", json={"name": name}) for name in names))
    page = await window.open(api, PATH)
    await expect(page.locator("#rows tr")).to_have_count(AT_ONCE)
    await expect(page.locator("#count")).to_have_text(f"the newest {AT_ONCE}")
    await make(page, "the newest of them")
    await send(page)
    await expect(page.locator("#made")).to_be_visible()
    await page.get_by_role("button", name="More").click()
    await expect(page.locator("#rows tr")).to_have_count(AT_ONCE + 4)
    await expect(page.locator("#count")).to_have_text(str(AT_ONCE + 4))
    await expect(page.get_by_role("button", name="More")).to_be_hidden()
    ids = await page.locator("#rows tr").evaluate_all("(all) => all.map((one) => one.dataset.id)")
    assert len(set(ids)) == AT_ONCE + 4


async def test_a_list_that_cannot_be_had_is_said(stage: Stage, window: Window) -> None:
    window.forgives = "net::ERR_FAILED"
    api = await stage.api()
    page = await window.open(api, "/console/playground")
    await page.route("**/api-keys?*", lambda route: route.abort())
    await page.goto(api.url + PATH)
    await expect(page.get_by_role("alert")).to_contain_text("The API does not answer")
    await expect(page.get_by_text("Loading")).to_be_hidden()


async def test_keys_are_for_administrators_alone(stage: Stage, window: Window) -> None:
    window.forgives = "status of 403"
    api = await stage.api()
    await api.organization("acme")
    for key in (await api.user_key("acme"), await api.user_key()):
        page = await window.open(api, PATH, key=key)
        await expect(page.get_by_role("heading")).to_have_text("This key may not do that")
        await page.goto(f"{api.url}/console/playground")
        await expect(page.get_by_role("link", name="Playground")).to_be_visible()
        await expect(page.get_by_role("link", name="Keys")).to_have_count(0)


@pytest.mark.parametrize("width", [360, 800, 1280])
async def test_nothing_keeps_anybody_from_the_keys(stage: Stage, window: Window, width: int) -> None:
    api = await stage.api()
    await api.organization("acme")
    for body in ({"name": "w" * 100, "organization": "acme", **LIMITS}, {"name": "second", "role": "admin"}):
        assert (await api.client.post("/api-keys", json=body)).status_code == 201
    size: Any = {"width": width, "height": 740}
    page = await window.open(api, PATH, key=await admin_key(api, "anna"), viewport=size)
    await expect(page.locator("#rows tr")).to_have_count(3)
    assert await complaints(page) == []
    assert await page.evaluate("document.documentElement.scrollWidth") <= width
    await make(page, "third")
    assert await complaints(page) == []
    await send(page)
    await expect(page.locator("#made")).to_be_visible()
    assert await complaints(page) == []
    assert await page.evaluate("document.documentElement.scrollWidth") <= width


async def test_that_a_key_is_gone_meanwhile_is_said(stage: Stage, window: Window) -> None:
    window.forgives = "status of 404"
    api = await stage.api()
    await api.client.post("/api-keys", json={"name": "ci"})
    page = await window.open(api, PATH)
    await expect(key_row(page, "ci")).to_be_visible()
    (found,) = await listed(api)
    await api.client.delete(f"/api-keys/{found['id']}")
    await key_row(page, "ci").get_by_role("button", name="Limits").click()
    await send(page, "Change")
    await expect(page.get_by_role("dialog").get_by_role("alert")).to_contain_text("There is no such key")


async def test_an_answer_that_comes_late_closes_no_other_dialog(stage: Stage, window: Window) -> None:
    api = await stage.api()
    for name in ("first", "second"):
        await api.client.post("/api-keys", json={"name": name})
    page = await window.open(api, PATH)
    let_go = asyncio.Event()

    async def held(route: Route) -> None:
        if route.request.method in ("PATCH", "DELETE"):
            await let_go.wait()
        await route.continue_()

    await page.route("**/api-keys/*", held)
    dialog = page.get_by_role("dialog")
    await page.get_by_role("button", name="Change the limits of first").click()
    await page.get_by_label("At once").fill("3")
    await send(page, "Change")
    await page.keyboard.press("Escape")
    await page.get_by_role("button", name="Change the limits of second").click()
    await page.get_by_label("At once").fill("5")
    let_go.set()
    await expect(page.locator("#announcements")).to_contain_text("The limits of first are changed.")
    await expect(dialog).to_contain_text("Limits of second")
    await send(page, "Change")
    await expect(key_row(page, "second").locator("[data-of=max_concurrent]")).to_have_text("5")
    let_go.clear()
    await page.get_by_role("button", name="Revoke first").click()
    await send(page, "Revoke")
    await page.keyboard.press("Escape")
    await page.get_by_role("button", name="Revoke second").click()
    let_go.set()
    await expect(key_row(page, "first")).to_have_count(0)
    await expect(dialog).to_contain_text("Revoke second?")
    await send(page, "Revoke")
    await expect(key_row(page, "second")).to_have_count(0)
