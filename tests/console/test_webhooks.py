"""Webhooks: made, tested, replayed and switched off in a browser, with the service that sends and a receiver."""

import re
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any, Final

import pytest
from playwright.async_api import Locator, Page, Route, expect

from services.webhooks.app import running
from tests.api.control.test_webhooks import URL, made, until_read
from tests.api.stage import MASTER_SECRET, MODEL, RunningApi, Stage
from tests.console.conftest import Window
from tests.console.test_fleet import tabbed
from tests.console.test_launch import is_wrong
from tests.console.test_pages import complaints
from tests.lifecycle import histories as h
from tests.webhooks.receiver import Receiver, accepting, answering, receiving
from tests.webhooks.stage import a_pace, verified

LIST: Final = "/console/webhooks"


@asynccontextmanager
async def sending(stage: Stage, answer: Any = accepting, **pace: Any) -> AsyncGenerator[Receiver]:
    """The service that sends, and somebody who receives."""
    settings = a_pace(stage.nats_url, stage.database_url, master_secret=MASTER_SECRET, **pace)
    async with receiving(answer) as receiver, running(settings):
        yield receiver


async def opened(api: RunningApi, window: Window, webhook: dict[str, Any], **options: Any) -> Page:
    page = await window.open(api, f"{LIST}/{webhook['id']}", **options)
    await expect(page.locator("#facts")).to_contain_text("waiting")
    return page


async def send(page: Page, verb: str) -> None:
    await page.get_by_role("dialog").get_by_role("button", name=verb, exact=True).click()


async def press(page: Page, verb: str) -> None:
    await page.locator("#actions").get_by_role("button", name=verb, exact=True).click()


def row(page: Page, url: str) -> Locator:
    return page.locator("#rows tr").filter(has=page.get_by_role("link", name=url))


async def test_a_webhook_is_made_with_its_filters_and_its_secret_is_shown_once(stage: Stage, window: Window) -> None:
    api = await stage.api()
    await api.organization("acme")
    page = await window.open(api, LIST)
    await page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    await expect(page.get_by_text("There is no webhook yet")).to_be_visible()
    async with sending(stage) as receiver:
        await page.get_by_role("button", name="Make a webhook").click()
        await page.get_by_label("Address").fill(receiver.url)
        await page.get_by_label("What it is for").fill("on call")
        await page.get_by_label("Add an event").select_option("InstanceReady")
        await page.get_by_label("Add an event").select_option("StartupFailed")
        await page.get_by_label("Models", exact=True).fill(f" {MODEL} \n\n")
        await page.get_by_label("Of organisations").fill("acme")
        await send(page, "Make")
        await expect(page.locator("#made")).to_be_focused()
        secret = str(await page.locator("#made-secret").text_content())
        await page.get_by_role("button", name="Copy").click()
        await expect(page.get_by_role("button", name="Copied")).to_be_visible()
        assert await page.evaluate("navigator.clipboard.readText()") == secret
        [webhook] = (await api.client.get("/webhooks")).json()["items"]
        await api.client.post(f"/webhooks/{webhook['id']}/test")
        [message] = await receiver.until_so_many(1)
    assert verified(secret, message.body, message.headers)["type"] == "WebhookTest"
    asked = {"events": ["InstanceReady", "StartupFailed"], "models": [MODEL], "organizations": ["acme"]}
    assert webhook == webhook | asked | {"url": receiver.url, "description": "on call", "organization": None}
    for words in ("on call", "active", "InstanceReady, StartupFailed", MODEL, "acme", "the installation"):
        await expect(row(page, receiver.url)).to_contain_text(words)
    await page.get_by_role("button", name="I have it").click()
    await expect(page.get_by_role("button", name="Make a webhook")).to_be_focused()
    assert secret not in await page.content()


async def test_by_keyboard_alone_a_webhook_is_made(stage: Stage, window: Window) -> None:
    api = await stage.api()
    page = await window.open(api, LIST)
    await expect(page.get_by_text("There is no webhook yet")).to_be_visible()
    await tabbed(page, page.get_by_role("button", name="Make a webhook"))
    await page.keyboard.press("Enter")
    await expect(page.get_by_label("Address")).to_be_focused()
    await page.keyboard.type(URL)
    await page.keyboard.press("Enter")
    await expect(page.locator("#made")).to_be_focused()
    await expect(row(page, URL)).to_contain_text("all events")


async def test_a_test_says_what_the_receiver_answered(stage: Stage, window: Window) -> None:
    api = await stage.api()
    async with sending(stage, answering(204, 500)) as receiver:
        page = await opened(api, window, await made(api.client, url=receiver.url))
        await expect(page.get_by_text("Nothing was sent yet")).to_be_visible()
        await press(page, "Send a test")
        await expect(page.locator("#said")).to_have_text("The test has arrived: the receiver answered 204.")
        first = page.locator("#rows tr").first
        for words in ("WebhookTest", "test", "delivered", "204"):
            await expect(first).to_contain_text(words)
        await press(page, "Send a test")
        await expect(page.locator("#said")).to_have_text("The test has failed: it answered 500.")
        await expect(page.locator("#rows tr")).to_have_count(2)
        await page.get_by_label("State").select_option("Given up")
        await expect(page.locator("#rows tr")).to_have_count(1)
        await expect(first).to_contain_text("500")
        await page.get_by_label("State").select_option("Waiting")
        await expect(page.get_by_text("No delivery is in this state.")).to_be_visible()


async def test_what_fails_and_what_is_given_up_is_seen_in_the_list_and_switched_on_again(
    stage: Stage, window: Window
) -> None:
    api = await stage.api()
    async with sending(stage, answering(503)) as failing, receiving(answering(410)) as gone:
        webhooks = [await made(api.client, url=receiver.url) for receiver in (failing, gone)]
        page = await window.open(api, LIST)
        await stage.happened(*h.a_launch()[:1])
        await expect(row(page, failing.url)).to_contain_text("failing")
        await expect(row(page, failing.url)).to_contain_text(re.compile(r"since .+, \d+ failure"))
        await expect(row(page, gone.url)).to_contain_text("switched off")
        await expect(row(page, gone.url)).to_contain_text("as its receiver is gone, since")
        await expect(page.locator("#sum")).to_have_text("2 · 2 not active")
        gone.answer = accepting
        await row(page, gone.url).get_by_role("link").click()
        await expect(page.locator("#facts")).to_contain_text("as its receiver is gone")
        await press(page, "Switch on")
        await expect(page.locator("#status")).to_have_text("active")
        await expect(page.locator("#said")).to_contain_text("Replay sends what it has missed.")
        await expect(page.locator("#actions").get_by_role("button", name="Switch off")).to_be_focused()
        await press(page, "Switch off")
        await expect(page.locator("#status")).to_have_text("switched off")
        await expect(page.locator("#facts")).to_contain_text("by request")
    shown = (await api.client.get(f"/webhooks/{webhooks[1]['id']}")).json()
    assert (shown["enabled"], shown["switched_off"]) == (False, "request")


async def test_past_events_are_replayed_from_a_sequence_or_a_time(stage: Stage, window: Window) -> None:
    window.forgives = "status of 4"
    api = await stage.api()
    await stage.happened(*h.a_launch())
    last = await stage.last_sequence()
    async with sending(stage) as receiver:
        webhook = await made(api.client, url=receiver.url)
        await until_read(api, f"/webhooks/{webhook['id']}", last)
        page = await opened(api, window, webhook)
        await receiver.until(lambda received: len({one.id for one in received}) >= last)
        await press(page, "Replay")
        sequence, time = page.get_by_label("From sequence"), page.get_by_label("Or from a time")
        await send(page, "Replay")
        await is_wrong(page, sequence, "from_sequence", "give either this or from_time")
        await sequence.fill("first")
        await time.fill("yesterday")
        await send(page, "Replay")
        await is_wrong(page, sequence, "from_sequence", "integer")
        await is_wrong(page, time, "from_time", "2026-01-31T09:30:00Z")
        assert await complaints(page) == []
        await time.fill("")
        await sequence.fill("3")
        await send(page, "Replay")
        await expect(page.locator("#said")).to_have_text(f"The events from 3 to {last} are sent again.")
        await expect(page.locator("#rows")).to_contain_text("replay")
        await press(page, "Replay")
        await time.fill("2999-01-01T00:00:00Z")
        await send(page, "Replay")
        await expect(page.locator("#said")).to_have_text("There is no event from there on yet.")
        await press(page, "Switch off")
        await expect(page.locator("#status")).to_have_text("switched off")
        await press(page, "Replay")
        await sequence.fill("1")
        await send(page, "Replay")
        await expect(page.get_by_role("dialog").get_by_role("alert")).to_contain_text("Switch it on first")


async def test_a_new_secret_is_shown_once_and_the_former_one_still_counts(stage: Stage, window: Window) -> None:
    api = await stage.api()
    webhook = await made(api.client)
    page = await opened(api, window, webhook)
    await press(page, "Rotate the secret")
    await expect(page.get_by_role("dialog")).to_contain_text("for 24 hours with the former one")
    await send(page, "Rotate")
    await expect(page.locator("#made")).to_be_focused()
    secret = str(await page.locator("#made-secret").text_content())
    assert secret.startswith("whsec_")
    assert secret != webhook["secret"]
    await expect(page.locator("#facts")).to_contain_text("the former secret counts until")
    await page.get_by_role("button", name="I have it").click()
    await expect(page.get_by_role("button", name="Rotate the secret")).to_be_focused()
    assert secret not in await page.content()


async def test_a_webhook_is_changed_and_its_filters_are_taken_away(stage: Stage, window: Window) -> None:
    api = await stage.api()
    webhook = await made(api.client, events=["InstanceReady"], models=[MODEL], description="old")
    page = await opened(api, window, webhook)
    await press(page, "Change")
    await expect(page.get_by_label("Events", exact=True)).to_have_value("InstanceReady")
    await expect(page.get_by_label("Models", exact=True)).to_have_value(MODEL)
    await expect(page.get_by_label("Owner")).to_be_hidden()
    await page.get_by_label("Address").fill(f"{URL}/new")
    await page.get_by_label("What it is for").fill("")
    await page.get_by_label("Events", exact=True).fill("")
    await send(page, "Change")
    await expect(page.locator("#head")).to_contain_text(f"{URL}/new")
    await expect(page.locator("#facts")).to_contain_text(f"gets all events of {MODEL}")
    shown = (await api.client.get(f"/webhooks/{webhook['id']}")).json()
    assert (shown["url"], shown["description"], shown["events"], shown["models"]) == (f"{URL}/new", "", None, [MODEL])


async def test_a_webhook_is_deleted_once_that_is_confirmed(stage: Stage, window: Window) -> None:
    api = await stage.api()
    page = await opened(api, window, await made(api.client))
    await press(page, "Delete")
    await expect(page.get_by_role("dialog")).to_contain_text("This cannot be undone.")
    await page.keyboard.press("Escape")
    assert len((await api.client.get("/webhooks")).json()["items"]) == 1
    await press(page, "Delete")
    await send(page, "Delete")
    await expect(page.get_by_text("There is no webhook yet")).to_be_visible()
    assert (await api.client.get("/webhooks")).json()["items"] == []


async def test_a_wrong_input_in_every_field_is_said_next_to_it(stage: Stage, window: Window) -> None:
    window.forgives = "status of 422"
    api = await stage.api()
    await api.organization("acme")
    page = await window.open(api, LIST)
    await page.get_by_role("button", name="Make a webhook").click()
    address, events = page.get_by_label("Address"), page.get_by_label("Events", exact=True)
    models, owner = page.get_by_label("Models", exact=True), page.get_by_label("Owner")
    await address.fill("ftp://receiver.example")
    await page.get_by_label("What it is for").fill("x" * 201)
    await events.fill("Instance Ready")
    await models.fill(f"{MODEL}\n{'x' * 201}")
    await page.get_by_label("Of organisations").fill("No Slug")
    await send(page, "Make")
    await is_wrong(page, address, "url", "")
    await is_wrong(page, page.get_by_label("What it is for"), "description", "at most 200 characters")
    await is_wrong(page, events, "events", "Event 1: ")
    await is_wrong(page, models, "models", "Model 2: ")
    await is_wrong(page, page.get_by_label("Of organisations"), "organizations", "Organisation 1: ")
    await expect(address).to_be_focused()
    await expect(page.get_by_role("alert")).to_contain_text("See the errors above.")
    assert await complaints(page) == []
    await address.fill("https://name:word@receiver.example")
    await page.get_by_label("What it is for").fill("")
    await events.fill("InstanceReady\nInstanceRaedy")
    await models.fill("")
    await page.get_by_label("Of organisations").fill("")
    await send(page, "Make")
    await is_wrong(page, address, "url", "may have neither a user's name nor a fragment")
    await is_wrong(page, events, "events", "Event 2: there is no event InstanceRaedy; did you mean InstanceReady?")
    await address.fill(URL)
    await events.fill("")
    await page.get_by_label("Of organisations").fill("nobody")
    await send(page, "Make")
    await is_wrong(
        page,
        page.get_by_label("Of organisations"),
        "organizations",
        "Organisation 1: no organisation has the slug 'nobody'",
    )
    await owner.select_option("acme")
    await expect(page.get_by_label("Of organisations")).to_be_hidden()
    await api.client.delete("/organizations/acme")
    await send(page, "Make")
    await is_wrong(page, owner, "organization", "no organisation has the slug 'acme'")
    assert (await api.client.get("/webhooks")).json()["items"] == []


async def test_members_have_their_own_and_see_no_other(stage: Stage, window: Window) -> None:
    window.forgives = "status of 40"
    api = await stage.api()
    await api.organization("acme")
    foreign = await made(api.client)
    key = await api.user_key("acme")
    page = await window.open(api, LIST, key=key)
    await expect(page.get_by_text("There is no webhook yet")).to_be_visible()
    await page.get_by_role("button", name="Make a webhook").click()
    await expect(page.get_by_label("Owner")).to_have_count(0)
    await page.get_by_label("Address").fill(f"{URL}/own")
    await send(page, "Make")
    await expect(row(page, f"{URL}/own")).to_contain_text("acme")
    await page.get_by_role("button", name="I have it").click()
    await expect(page.locator("#rows tr")).to_have_count(1)
    await row(page, f"{URL}/own").get_by_role("link").click()
    await expect(page.locator("#facts")).to_contain_text("owner: acme")
    await page.goto(f"{api.url}{LIST}/{foreign['id']}")
    await expect(page.get_by_role("heading")).to_have_text("There is no such webhook")
    await page.goto(f"{api.url}/console/playground")
    await expect(page.get_by_role("link", name="Webhooks")).to_be_visible()
    page = await window.open(api, LIST, key=await api.user_key())
    await expect(page.get_by_role("heading")).to_have_text("This key may not do that")


async def test_more_deliveries_than_fit_a_page_come_when_they_are_asked_for(stage: Stage, window: Window) -> None:
    api = await stage.api()
    webhook = await made(api.client)
    for _ in range(53):
        assert (await api.client.post(f"/webhooks/{webhook['id']}/test")).status_code == 202
    page = await opened(api, window, webhook)
    await expect(page.locator("#rows tr")).to_have_count(50)
    await page.get_by_role("button", name="More").click()
    await expect(page.locator("#rows tr")).to_have_count(53)
    await expect(page.get_by_role("button", name="More")).to_be_hidden()
    async with page.expect_response("**/deliveries?*"):  # and they stay
        pass
    await expect(page.locator("#rows tr")).to_have_count(53)


async def test_a_list_that_cannot_be_had_is_said_and_asked_for_again(stage: Stage, window: Window) -> None:
    window.forgives = "net::ERR_FAILED"
    api = await stage.api()
    page = await window.open(api, "/console/playground")

    async def fail(route: Route) -> None:
        await route.abort()

    await page.route(f"{api.url}/webhooks", fail, times=1)
    await page.goto(api.url + LIST)
    await expect(page.locator("#nothing")).to_contain_text("The API does not answer")
    await expect(page.get_by_text("There is no webhook yet")).to_be_visible()


@pytest.mark.parametrize("width", [360, 800, 1280])
async def test_nothing_keeps_anybody_from_the_webhooks(stage: Stage, window: Window, width: int) -> None:
    api = await stage.api()
    await api.organization("acme")
    size: Any = {"width": width, "height": 740}
    page = await window.open(api, LIST, viewport=size)
    await expect(page.get_by_text("There is no webhook yet")).to_be_visible()
    assert await complaints(page) == []
    long = f"{URL}/{'w' * 300}"
    webhook = await made(api.client, url=long, description="x" * 200, models=[f"acme/{'m' * 190}"] * 4)
    await made(api.client, organization="acme", events=["InstanceReady", "StartupFailed"])
    await api.client.post(f"/webhooks/{webhook['id']}/test")
    await page.reload()
    await expect(page.locator("#rows tr")).to_have_count(2)
    assert await complaints(page) == []
    assert await page.evaluate("document.documentElement.scrollWidth") <= width
    await page.get_by_role("button", name="Make a webhook").click()
    assert await complaints(page) == []
    await page.goto(f"{api.url}{LIST}/{webhook['id']}")
    await expect(page.locator("#rows tr")).to_have_count(1)
    assert await complaints(page) == []
    assert await page.evaluate("document.documentElement.scrollWidth") <= width
    for verb in ("Replay", "Delete"):
        await press(page, verb)
        assert await complaints(page) == []
        await page.keyboard.press("Escape")
