"""Organisations, what they use of their limits, and what they call their models."""

import re
from typing import Any

import pytest
from playwright.async_api import Locator, Page, expect

from tests.api.names import LATER
from tests.api.stage import EMBEDDING_MODEL, MODEL, RunningApi, Stage
from tests.console.conftest import Window
from tests.console.test_fleet import recent
from tests.console.test_keys import send
from tests.console.test_launch import is_wrong
from tests.console.test_pages import complaints
from tests.lifecycle import histories as h

PATH = "/console/organizations"
LIMITS: dict[str, Any] = {"max_instances": 1, "spend_per_hour": 6, "spend_per_month": 2000, "at_limit": "drain"}
SHADOWING = "openai-community"


def row(page: Page, name: str) -> Locator:
    return page.locator("tbody tr").filter(has=page.get_by_text(name, exact=True))


async def acme(stage: Stage, **limits: Any) -> RunningApi:
    """An api with one organisation, which has an instance and two offerings, the newer of them off."""
    await stage.projector()
    api = await stage.api()
    made = await api.organization("acme", name="Acme Ltd.", **limits)
    instance = await stage.happened(*recent(h.a_ready_instance(organization_id=made["id"])))
    await api.projected(instance)
    await api.offering("acme", "chat", MODEL)
    await api.offering("acme", "old", EMBEDDING_MODEL, active=False)
    return api


async def offerings(api: RunningApi, slug: str = "acme") -> list[dict[str, Any]]:
    return list((await api.client.get(f"/organizations/{slug}/offerings")).json()["items"])


async def test_an_organisation_is_made_changed_and_deleted(stage: Stage, window: Window) -> None:
    api = await stage.api()
    page = await window.open(api, PATH)
    await expect(page.get_by_text("There is no organisation yet.")).to_be_visible()
    await page.get_by_role("button", name="Make an organisation").click()
    await page.get_by_label("Slug").fill("acme")
    await page.get_by_label("Spending an hour").fill("1.5")
    await send(page)
    await expect(row(page, "acme")).to_contain_text("0.00 of 1.50")
    await expect(row(page, "acme")).to_contain_text("an event only")
    made = (await api.client.get("/organizations/acme")).json()
    unlimited = {"max_instances": None, "spend_per_month": None, "at_limit": "warn"}
    assert made == made | unlimited | {"name": "acme", "spend_per_hour": 1.5}
    await row(page, "acme").get_by_role("button", name="Change").click()
    await expect(page.get_by_label("Slug")).to_be_hidden()
    await expect(page.get_by_label("Spending an hour")).to_have_value("1.5")
    await page.get_by_label("Name").fill("Acme Ltd.")
    await page.get_by_label("Instances").fill("4")
    await page.get_by_label("Spending an hour").fill("")
    await page.get_by_label("When a spending limit is reached").select_option("drain")
    await send(page, "Change")
    await expect(row(page, "acme")).to_contain_text("0 of 4")
    await expect(row(page, "acme")).to_contain_text("Acme Ltd.")
    changed = {"name": "Acme Ltd.", "max_instances": 4, "spend_per_hour": None, "at_limit": "drain"}
    assert (await api.client.get("/organizations/acme")).json() == made | changed
    await row(page, "acme").get_by_role("button", name="Delete").click()
    await expect(page.get_by_role("dialog")).to_contain_text("Its keys are refused from now on")
    await send(page, "Delete")
    await expect(page.get_by_text("There is no organisation yet.")).to_be_visible()
    assert (await api.client.get("/organizations/acme")).status_code == 404


async def test_a_slug_that_is_somebody_s_on_the_hub_is_said_next_to_it_and_may_be_insisted_on(
    stage: Stage, window: Window
) -> None:
    window.forgives = "status of 4"
    api = await stage.api()
    page = await window.open(api, PATH)
    await page.get_by_role("button", name="Make an organisation").click()
    slug, insist = page.get_by_label("Slug"), page.get_by_role("checkbox")
    await slug.fill("qwen")
    await send(page)
    await is_wrong(page, slug, "slug", "Somebody on the Hugging Face hub is called qwen.")
    await insist.check()
    await send(page)
    await expect(row(page, "qwen")).to_be_visible()
    await row(page, "qwen").get_by_role("button", name="Change").click()
    await expect(insist).to_be_hidden()


async def test_what_is_used_is_shown_against_the_limits(stage: Stage, window: Window) -> None:
    api = await acme(stage, **LIMITS)
    await api.organization("globex")
    page = await window.open(api, PATH)
    used = row(page, "acme")
    await expect(used).to_contain_text("1 of 1 reached")
    await expect(used).to_contain_text("0.75 of 6.00 EUR")
    await expect(used).to_contain_text(re.compile(r"0\.1\d of 2000\.00 EUR"))
    await expect(used).to_contain_text("instances are drained")
    assert await row(page, "globex").get_by_text("no limit").count() == 3
    await page.get_by_role("link", name="acme").click()
    await expect(page.get_by_role("heading", name="acme Acme Ltd.")).to_be_visible()
    await expect(page.locator("dl")).to_contain_text("1 of 1 reached")
    await expect(page.get_by_role("link", name="Organisations", exact=True)).to_have_attribute("aria-current", "true")


async def test_what_is_wrong_with_an_organisation_is_said_next_to_each_field(stage: Stage, window: Window) -> None:
    window.forgives = "status of 4"
    api = await stage.api()
    await api.organization("acme")
    page = await window.open(api, PATH)
    await page.get_by_role("button", name="Make an organisation").click()
    slug = page.get_by_label("Slug")
    wrong = {
        "Slug": ("slug", "Not a slug", "lower-case letters, digits and dashes only"),
        "Name": ("name", "x" * 101, "at most 100"),
        "Instances": ("max_instances", "-1", "greater than or equal to 0"),
        "Spending an hour": ("spend_per_hour", "much", "valid number"),
        "Spending a month": ("spend_per_month", "-0.01", "greater than or equal to 0"),
    }
    for label, (_, value, _) in wrong.items():
        await page.get_by_label(label).fill(value)
    await send(page)
    for label, (field, _, said) in wrong.items():
        await is_wrong(page, page.get_by_label(label), field, said)
    await expect(slug).to_be_focused()
    assert await complaints(page) == []
    for label in wrong:
        await page.get_by_label(label).fill("")
    await slug.fill("acme")
    await send(page)
    await is_wrong(page, slug, "slug", "'acme' is taken")
    await slug.fill("globex")
    await send(page)
    await expect(row(page, "globex").first).to_be_visible()


async def test_one_that_has_instances_stays_and_that_is_said(stage: Stage, window: Window) -> None:
    window.forgives = "status of 409"
    api = await acme(stage)
    page = await window.open(api, f"{PATH}/acme")
    await page.get_by_role("button", name="Delete", exact=True).click()
    await send(page, "Delete")
    await expect(page.get_by_role("dialog").get_by_role("alert")).to_contain_text("still has instances")
    await page.get_by_role("button", name="Cancel").click()
    await page.get_by_role("button", name="Change", exact=True).click()
    await page.get_by_label("Name").fill("")
    await send(page, "Change")
    await expect(page.get_by_role("heading", name="acme", exact=True)).to_be_visible()


async def test_a_model_is_offered_switched_off_and_taken_back(stage: Stage, window: Window) -> None:
    api = await stage.api()
    await api.organization("acme")
    await api.client.post("/models", json={"model": EMBEDDING_MODEL})
    page = await window.open(api, f"{PATH}/acme")
    await page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    await expect(page.get_by_text("It has no names of its own for models.")).to_be_visible()
    await page.get_by_role("button", name="Offer a model").click()
    await expect(page.locator(f'#models option[value="{EMBEDDING_MODEL}"]')).to_have_count(1)
    await page.get_by_label("Code").fill("chat")
    await page.get_by_label("Model", exact=True).fill(MODEL)
    await page.keyboard.press("Enter")
    offered = row(page, "acme/chat")
    await expect(offered).to_contain_text(MODEL)
    await offered.get_by_role("button", name="Copy").click()
    await expect(offered.get_by_text("Copied")).to_be_visible()
    assert await page.evaluate("navigator.clipboard.readText()") == "acme/chat"
    switch = page.get_by_role("switch", name="acme/chat is active")
    for active, word in ((False, "off"), (True, "active"), (False, "off")):
        await switch.set_checked(active)
        await expect(offered.locator("[data-of=active]")).to_have_text(word)
        assert [one["active"] for one in await offerings(api)] == [active]
        await expect(switch).to_be_focused()
    await page.reload()
    await expect(switch).not_to_be_checked()
    await offered.get_by_role("button", name="Delete").click()
    await send(page, "Delete")
    await expect(offered).to_have_count(0)
    assert await offerings(api) == []


async def test_what_is_wrong_with_an_offering_is_said_next_to_its_field(stage: Stage, window: Window) -> None:
    window.forgives = "status of 4"
    api = await acme(stage)
    page = await window.open(api, f"{PATH}/acme")
    await page.get_by_role("button", name="Offer a model").click()
    code, model = page.get_by_label("Code"), page.get_by_label("Model", exact=True)
    await code.fill("a/b")
    await send(page, "Offer")
    await is_wrong(page, code, "code", "may have")
    await is_wrong(page, model, "model", "at least 1 character")
    await code.fill("chat")
    await model.fill("acme/unheard-of")
    await send(page, "Offer")
    await is_wrong(page, model, "model", "has no public model")
    await model.fill(MODEL)
    await send(page, "Offer")
    await is_wrong(page, code, "code", "acme/chat is offered already")
    assert await complaints(page) == []


async def test_a_switch_that_is_refused_goes_back_and_says_why(stage: Stage, window: Window) -> None:
    window.forgives = "status of 404"
    api = await acme(stage)
    page = await window.open(api, f"{PATH}/acme")
    await api.client.delete("/organizations/acme/offerings/chat")
    switch = page.get_by_role("switch", name="acme/chat is active")
    await expect(switch).to_have_attribute("autocomplete", "off")  # Firefox keeps them over a reload, by their place
    await switch.click()
    await expect(page.locator("#problem")).to_contain_text("chat")
    await expect(switch).to_be_checked()


async def test_an_offering_that_a_public_model_shadows_says_what_that_means(stage: Stage, window: Window) -> None:
    api = await stage.api()
    await api.organization(SHADOWING)
    await api.offering(SHADOWING, LATER.partition("/")[2], MODEL)
    page = await window.open(api, f"{PATH}/{SHADOWING}")
    await expect(page.get_by_text("shadowed")).to_have_count(0)
    await api.client.post("/models", json={"model": LATER})
    await page.reload()
    await expect(row(page, LATER)).to_contain_text("shadowed")
    await expect(row(page, LATER)).to_contain_text(
        "is a public model's id and means that model; offer this under another"
    )
    await row(page, LATER).get_by_role("button", name=f"Remove {LATER} from the catalogue").click()
    await expect(page.get_by_role("dialog")).to_contain_text("The offering openai-community/gpt2 answers again.")
    await send(page, "Remove it")
    await expect(page.get_by_text("shadowed")).to_have_count(0)
    assert [model["model"] for model in (await api.client.get("/models")).json()["items"]] == [MODEL]


async def test_a_member_sees_its_own_and_changes_nothing(stage: Stage, window: Window) -> None:
    window.forgives = "status of 404"
    api = await acme(stage, **LIMITS)
    await api.organization("globex")
    page = await window.open(api, PATH, key=await api.user_key("acme"))
    await expect(page.locator("tbody tr")).to_have_count(1)
    await expect(row(page, "acme")).to_contain_text("1 of 1 reached")
    await expect(page.locator("main button")).to_have_count(0)
    await page.get_by_role("link", name="acme").click()
    await expect(row(page, "acme/chat")).to_contain_text("active")
    await expect(row(page, "acme/old")).to_contain_text("off")
    assert await page.locator("main button").all_text_contents() == ["Copy", "Copy"]
    await expect(page.get_by_role("switch")).to_have_count(0)
    assert await complaints(page) == []
    for other in ("globex", "nobody"):
        await page.goto(f"{api.url}{PATH}/{other}")
        await expect(page.get_by_role("heading", name="There is no such organisation")).to_be_visible()


async def test_who_belongs_to_no_organisation_is_told_so(stage: Stage, window: Window) -> None:
    window.forgives = "status of 403"
    api = await stage.api()
    await api.organization("acme")
    key = await api.user_key()
    for path in (PATH, f"{PATH}/acme"):
        page = await window.open(api, path, key=key)
        await expect(page.get_by_role("heading")).to_have_text("This key may not do that")


@pytest.mark.parametrize("width", [360, 800])
async def test_nothing_keeps_anybody_from_organisations(stage: Stage, window: Window, width: int) -> None:
    api = await acme(stage, **LIMITS)
    await api.organization("w" * 63, name="W" * 100)
    await api.offering("acme", "x" * 100, MODEL)
    size: Any = {"width": width, "height": 740}
    for path, button in (
        (PATH, "Make an organisation"),
        (f"{PATH}/acme", "Offer a model"),
        (f"{PATH}/{'w' * 63}", "Change"),
    ):
        page = await window.open(api, path, viewport=size)
        assert await complaints(page) == []
        assert await page.evaluate("document.documentElement.scrollWidth") <= width
        await page.get_by_role("button", name=button, exact=True).click()
        await expect(page.get_by_role("dialog")).to_be_visible()
        assert await complaints(page) == []
        await page.keyboard.press("Escape")
        await expect(page.get_by_role("dialog")).to_be_hidden()
