"""The model's field suggests while one types, by keyboard and mouse, and says what is in the way."""

import asyncio
import re
from uuid import UUID

import pytest
from playwright.async_api import Locator, Page, Request, Route, expect
from pydantic import SecretStr

from tests.api.fakes import HUB_TOKEN
from tests.api.stage import MODEL, Stage
from tests.console.conftest import Window
from tests.console.test_launch import LARGE, PATH, opened, submit, type_row
from tests.console.test_pages import complaints

OTHER = "Qwen/Qwen2.5-7B-Instruct"
SEARCH = "**/models/search*"


def field(page: Page) -> Locator:
    return page.get_by_label("Model")


def options(page: Page, group: str | None = None) -> Locator:
    suggested = page.get_by_role("listbox", name="Suggestions")
    return (suggested.get_by_role("group", name=group) if group else suggested).get_by_role("option")


async def typed(page: Page, text: str) -> None:
    await field(page).press_sequentially(text)
    await expect(field(page)).to_have_attribute("aria-expanded", "true")


async def under_way(page: Page, option: Locator) -> None:
    """The focus stays in the field, which says at which option one is."""
    at = await option.get_attribute("id")
    await expect(field(page)).to_be_focused()
    await expect(field(page)).to_have_attribute("aria-activedescendant", str(at))
    await expect(option).to_have_attribute("aria-selected", "true")
    await expect(page.locator("[role=option][aria-selected=true]")).to_have_count(1)


async def closed(page: Page) -> None:
    await expect(page.get_by_role("listbox")).to_be_hidden()
    await expect(field(page)).to_have_attribute("aria-expanded", "false")
    await expect(field(page)).not_to_have_attribute("aria-activedescendant", re.compile(""))


async def test_by_keyboard_a_suggestion_is_walked_to_and_picked(stage: Stage, window: Window) -> None:
    _, page = await opened(stage, window)
    await typed(page, "qwen instruct")
    assert await field(page).get_attribute("aria-controls") == await page.get_by_role("listbox").get_attribute("id")
    await expect(options(page, "In the catalogue")).to_have_count(2)
    await expect(options(page, "On the hub").first).to_contain_text(OTHER)
    for words in ("generates text", "7.6 billion parameters", "15.2 GB of weights", "public"):
        await expect(options(page, "On the hub").first).to_contain_text(words)
    await expect(page.locator("#announcements")).to_have_text("6 models, 2 of them in the catalogue.")
    await page.keyboard.press("ArrowUp")
    await under_way(page, options(page).last)
    await page.keyboard.press("ArrowDown")
    await under_way(page, options(page).first)
    await page.keyboard.press("ArrowDown")
    await page.keyboard.press("ArrowDown")
    await under_way(page, options(page, "On the hub").first)
    await page.keyboard.press("Enter")
    await closed(page)
    await expect(field(page)).to_have_value(OTHER)
    await expect(page.locator("#model-hint")).to_contain_text("On the hub: generates text")
    await expect(type_row(page, "L4-1-24G")).to_contain_text("15.2 GB are the weights")
    assert page.url.endswith(PATH)


async def test_by_mouse_one_is_picked_and_the_focus_stays(stage: Stage, window: Window) -> None:
    _, page = await opened(stage, window)
    await typed(page, "72b")
    await options(page).filter(has_text=LARGE).click()
    await closed(page)
    await expect(field(page)).to_have_value(LARGE)
    await expect(field(page)).to_be_focused()
    await expect(type_row(page, "L4-1-24G")).to_contain_text("too small for 145.4 GB")


async def test_escape_and_leaving_close_the_list_and_keep_what_is_typed(stage: Stage, window: Window) -> None:
    _, page = await opened(stage, window)
    await typed(page, "qwen")
    await page.keyboard.press("ArrowDown")
    await page.keyboard.press("Escape")
    await closed(page)
    await expect(field(page)).to_have_value("qwen")
    await page.keyboard.press("ArrowDown")
    await expect(options(page).first).to_be_visible()
    await page.keyboard.press("Tab")
    await closed(page)
    await expect(field(page)).to_have_value("qwen")


async def test_enter_with_no_suggestion_under_way_launches_what_is_typed(stage: Stage, window: Window) -> None:
    _, page = await opened(stage, window)
    await typed(page, OTHER)
    await page.keyboard.press("Enter")
    await expect(page).to_have_url(re.compile("/console/instances/"))
    assert (await stage.journal.load(UUID(page.url.rpartition("/")[2]))).specification.model == OTHER


async def answered(page: Page) -> None:
    """What was asked of the search has been answered and looked at."""
    await page.evaluate("async () => { for (let turn = 0; turn < 50; turn++) await new Promise(setTimeout); }")


@pytest.mark.parametrize("key", ["Escape", "Enter"])
async def test_an_answer_that_comes_once_one_is_done_typing_opens_nothing(
    stage: Stage, window: Window, key: str
) -> None:
    window.forgives = "status of 422"
    _, page = await opened(stage, window)
    async with page.expect_response(SEARCH):
        await field(page).fill("llama-3")
        await page.keyboard.press(key)
    await answered(page)
    if key == "Enter":
        await expect(page.locator("#model-error")).to_contain_text("is no id")
    await closed(page)
    await page.keyboard.press("ArrowDown")
    await expect(options(page)).to_have_count(1)


async def test_one_letter_is_no_word_to_search_by(stage: Stage, window: Window) -> None:
    _, page = await opened(stage, window)
    await field(page).fill("q")
    await page.keyboard.press("ArrowDown")
    await expect(options(page, "In the catalogue")).to_have_count(2)
    await expect(page.locator("#model-hint")).not_to_contain_text("two characters")


async def test_an_empty_field_suggests_the_catalogue(stage: Stage, window: Window) -> None:
    _, page = await opened(stage, window)
    await field(page).focus()
    await page.keyboard.press("ArrowDown")
    await expect(options(page, "In the catalogue")).to_have_count(2)
    await expect(options(page)).to_have_count(2)
    await page.keyboard.press("Escape")
    await field(page).click()
    await expect(options(page)).to_have_count(2)


async def test_an_answer_that_was_overtaken_is_not_waited_for_nor_shown(stage: Stage, window: Window) -> None:
    _, page = await opened(stage, window)
    came, let_go = asyncio.Event(), asyncio.Event()

    async def held(route: Route) -> None:
        came.set()
        await let_go.wait()
        await route.abort()

    await page.route("**/models/search?q=gpt", held)
    await field(page).fill("gpt")
    await came.wait()
    async with page.expect_event("requestfailed") as failed:
        await field(page).fill("bge")
    overtaken: Request = await failed.value
    assert overtaken.url.endswith("q=gpt")
    await expect(options(page)).to_have_count(1)
    let_go.set()
    await expect(options(page)).to_contain_text("BAAI/bge-small-en-v1.5")


async def test_an_answer_that_comes_although_nobody_waits_for_it_changes_nothing(stage: Stage, window: Window) -> None:
    _, page = await opened(stage, window)
    await page.add_init_script(
        """{ const fetching = window.fetch;
             window.came = new Promise((resolve) => (window.coming = resolve));
             window.fetch = async (path, { signal, ...rest } = {}) => {  // as if it could not be called off
               const response = await fetching(path, rest);
               if (path.endsWith("q=gpt")) await new Promise((resolve) => coming(window.letGo = resolve));
               return response;
             }; }"""
    )
    await page.reload()
    await field(page).fill("gpt")
    await page.evaluate("came.then(() => null)")
    await field(page).fill("bge")
    await expect(options(page)).to_contain_text(["BAAI/bge-small-en-v1.5"])
    await page.evaluate("async () => { letGo(); for (let turn = 0; turn < 50; turn++) await new Promise(setTimeout); }")
    await expect(options(page)).to_contain_text(["BAAI/bge-small-en-v1.5"])


async def test_one_search_is_made_of_what_is_typed_quickly(stage: Stage, window: Window) -> None:
    _, page = await opened(stage, window)
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url) if "/models/search" in request.url else None)
    async with page.expect_request("**/models/search?q=whisper"):
        await typed(page, "whisper")
    assert len(asked) < len("whisper")


async def test_a_hub_that_does_not_answer_is_said_beside_what_the_catalogue_has(stage: Stage, window: Window) -> None:
    _, page = await opened(stage, window)
    stage.hub.broken = 500
    await typed(page, "qwen")
    await expect(options(page)).to_have_count(2)
    await expect(page.locator("#suggestions-note")).to_have_text(
        "The Hugging Face hub could not be asked: it answered 500."
    )
    await expect(page.locator("#announcements")).to_contain_text("could not be asked")
    assert await complaints(page) == []
    await field(page).fill("nothing here")
    await expect(page.locator("#model-hint")).to_contain_text("could not be asked: it answered 500")
    await closed(page)


async def test_an_api_that_does_not_answer_is_said_at_the_field(stage: Stage, window: Window) -> None:
    window.forgives = "net::ERR_FAILED"
    _, page = await opened(stage, window)
    await page.route(SEARCH, lambda route: route.abort())
    await field(page).fill("qwen")
    await expect(page.locator("#model-hint")).to_contain_text("The API does not answer. Try again in a moment.")


async def test_words_that_nothing_has_are_said_to_be_looked_up_whole(stage: Stage, window: Window) -> None:
    _, page = await opened(stage, window)
    await field(page).fill("nobody/nothing")
    await expect(page.locator("#model-hint")).to_contain_text("No model matches these words")
    await expect(page.locator("#announcements")).to_have_text("No model found.")


async def test_what_cannot_be_launched_is_explained_and_cannot_be_picked(stage: Stage, window: Window) -> None:
    _, page = await opened(stage, window)
    await typed(page, "llama-3")
    gated = options(page)
    await expect(gated).to_contain_text("gated")
    await expect(gated).to_contain_text("accept its licence on the hub, then start the services with your HF_TOKEN")
    await expect(gated).to_have_attribute("aria-disabled", "true")
    await gated.click(force=True)
    await page.keyboard.press("ArrowDown")
    await under_way(page, gated)
    await page.keyboard.press("Enter")
    await expect(field(page)).to_have_value("llama-3")
    await expect(gated).to_be_visible()
    await field(page).fill("openai/whisper")
    await expect(options(page)).to_contain_text("It is for automatic-speech-recognition")
    await expect(options(page)).to_have_attribute("aria-disabled", "true")


async def test_with_a_token_a_gated_model_may_be_picked_and_says_whose_licence_it_takes(
    stage: Stage, window: Window
) -> None:
    await stage.offer()
    api = await stage.api(hf_token=SecretStr(HUB_TOKEN))
    page = await window.open(api, PATH)
    await typed(page, "llama-3")
    await options(page).click()
    await expect(page.locator("#model-hint")).to_contain_text(
        "Its licence has to be accepted on the hub by the owner of HF_TOKEN."
    )


async def test_an_organisation_s_own_names_are_suggested_and_launched(stage: Stage, window: Window) -> None:
    api, page = await opened(stage, window)
    await api.organization("acme")
    await api.offering("acme", "chat", MODEL)
    await page.reload()
    await page.locator("#advanced summary").click()
    await page.get_by_label("Organisation").select_option("acme")
    await typed(page, "acme")
    await expect(options(page)).to_contain_text(MODEL)
    await options(page).click()
    await expect(page.locator("#model-hint")).to_contain_text(f"An offering of {MODEL}")
    await expect(type_row(page, "L4-1-24G")).to_contain_text("1.0 GB are the weights")
    await submit(page)
    await expect(page).to_have_url(re.compile("/console/instances/"))
    assert (await stage.journal.load(UUID(page.url.rpartition("/")[2]))).specification.model == MODEL


async def test_what_one_organisation_calls_its_models_is_not_said_of_another(stage: Stage, window: Window) -> None:
    api, page = await opened(stage, window)
    await api.organization("acme")
    await api.offering("acme", "chat", MODEL)
    await page.reload()
    await page.locator("#advanced summary").click()
    await page.get_by_label("Organisation").select_option("acme")
    await field(page).fill("acme/chat")
    await expect(page.locator("#model-hint")).to_contain_text(f"An offering of {MODEL}")
    await page.get_by_label("Organisation").select_option("")
    await expect(page.locator("#model-hint")).to_contain_text("No model matches these words")
    await expect(type_row(page, "L4-1-24G")).not_to_contain_text("are the weights")


async def test_nothing_keeps_anybody_from_searching(stage: Stage, window: Window) -> None:
    narrow = {"width": 360, "height": 740}
    _, page = await opened(stage, window, viewport=narrow)
    await typed(page, "en")
    await page.keyboard.press("ArrowUp")
    await under_way(page, options(page).last)
    assert await complaints(page) == []
    assert await page.evaluate("document.documentElement.scrollWidth") <= 360
