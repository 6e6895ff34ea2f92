"""The live feed: what happens, as it happens, of what is asked for."""

import json
import re
from typing import Any

import pytest
from playwright.async_api import Page, expect

from tests.api.stage import Stage
from tests.console.conftest import Window
from tests.console.test_fleet import recent
from tests.console.test_pages import complaints
from tests.lifecycle import facts as f
from tests.lifecycle import histories as h

PATH = "/console/events"
MOST = 200


async def types(page: Page) -> list[str]:
    return await page.locator("#feed [data-of=type]").all_text_contents()


async def test_events_come_by_themselves_the_newest_first_and_open_their_json(stage: Stage, window: Window) -> None:
    api = await stage.api()
    page = await window.open(api, PATH)
    await expect(page.get_by_text("Nothing has happened yet.")).to_be_visible()
    history = recent(h.a_failed_launch(name="evening"))
    instance = await stage.happened(*history)
    await expect(page.locator("#feed > li")).to_have_count(instance.version)
    assert await types(page) == [fact.type() for fact in reversed(history)]
    newest = page.locator("#feed > li").first
    await expect(newest).to_contain_text("evening")
    await expect(newest).to_contain_text("No zone has an L4.")
    await newest.locator("summary").focus()
    await page.keyboard.press("Enter")
    shown = newest.locator("pre")
    await expect(shown).to_be_visible()
    await expect(shown).to_contain_text("specversion")
    event = json.loads(await shown.text_content() or "")
    assert (event["type"], event["data"]["instance"]["id"]) == (history[-1].type(), str(instance.id))
    await newest.get_by_role("link", name="Its instance").click()
    await expect(page).to_have_url(re.compile(f"/console/instances/{instance.id}"))


async def test_the_feed_shows_what_is_asked_for_and_keeps_it_in_the_address(stage: Stage, window: Window) -> None:
    api = await stage.api()
    first = await stage.happened(*recent(h.a_launch(name="first")))
    second = await stage.happened(*recent(h.a_launch(name="second")))
    page = await window.open(api, PATH)
    rows = page.locator("#feed > li")
    await expect(rows).to_have_count(first.version + second.version)
    await page.get_by_label("Type").select_option("IpAssigned")
    await expect(rows).to_have_count(2)
    await page.get_by_label("Instance", exact=True).fill("SECO")
    await expect(rows).to_have_count(1)
    await stage.happened(f.ssh_install_started(), instance_id=second.id)
    await stage.happened(f.ip_assigned(ip_address="198.51.100.9"), instance_id=first.id)
    await page.reload()
    await expect(rows).to_have_count(1)
    await expect(rows).to_contain_text("second")
    await page.get_by_label("Type").select_option("")
    await expect(rows).to_have_count(second.version + 1)
    await page.get_by_label("Instance", exact=True).fill(str(first.id))
    await expect(rows.first).to_contain_text("first")
    await page.get_by_label("Instance", exact=True).fill("nobody")
    await expect(page.get_by_text("No event is like that yet.")).to_be_visible()


async def test_the_command_follows_on_nats_what_the_page_shows(stage: Stage, window: Window) -> None:
    api = await stage.api()
    instance = await stage.happened(*recent(h.a_launch(name="evening")))
    page = await window.open(api, PATH)
    await page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    command = page.locator("#command")
    await expect(command).to_have_text("nats sub 'lifecycle.>'")
    await expect(page.locator("#feed > li")).to_have_count(instance.version)
    await page.get_by_label("Type").select_option("SshInstallStarted")
    await expect(command).to_have_text("nats sub 'lifecycle.*.SshInstallStarted'")
    await page.get_by_label("Instance", exact=True).fill("evening")
    await expect(command).to_have_text(f"nats sub 'lifecycle.{instance.id}.SshInstallStarted'")
    await page.get_by_role("button", name="Copy").click()
    await expect(page.get_by_role("button", name="Copied")).to_be_visible()
    copied = str(await page.evaluate("navigator.clipboard.readText()"))
    following = await stage.connection.subscribe(copied.split("'")[1])
    await stage.happened(f.ssh_install_started(), instance_id=instance.id)
    assert (await following.next_msg(timeout=5)).subject == f"lifecycle.{instance.id}.SshInstallStarted"
    await page.get_by_label("Type").select_option("")
    await expect(command).to_have_text(f"nats sub 'lifecycle.{instance.id}.>'")


async def test_the_page_holds_no_more_than_the_newest(stage: Stage, window: Window) -> None:
    api = await stage.api()
    page = await window.open(api, PATH)
    happened = 0
    while happened <= MOST:
        happened += (await stage.happened(*recent(h.a_ready_instance()))).version
    last = await stage.happened(*recent(h.a_launch(name="last")))
    await expect(page.locator("#feed > li").first).to_contain_text("last")
    await expect(page.locator("#feed > li")).to_have_count(MOST)
    await expect(page.locator("#count")).to_have_text(f"the newest {MOST}")
    await page.get_by_label("Instance", exact=True).fill(str(last.id))
    await expect(page.locator("#feed > li")).to_have_count(last.version)


async def test_a_feed_that_is_paused_stands_still_and_misses_nothing(stage: Stage, window: Window) -> None:
    api = await stage.api()
    instance = await stage.happened(*recent(h.a_launch()))
    page = await window.open(api, PATH)
    await expect(page.locator("#feed > li")).to_have_count(instance.version)
    await page.get_by_role("button", name="Pause").click()
    await stage.happened(f.ssh_install_started(), instance_id=instance.id)
    await expect(page.locator("#count")).to_have_text("1 more since the pause")
    await expect(page.locator("#feed > li")).to_have_count(instance.version)
    await page.get_by_label("Type").select_option("SshInstallStarted")
    await expect(page.locator("#feed > li")).to_have_count(0)
    await page.get_by_role("button", name="Go on").click()
    await expect(page.locator("#feed > li")).to_have_count(1)


async def test_an_organisation_follows_its_own_alone(stage: Stage, window: Window) -> None:
    api = await stage.api()
    acme = await api.organization("acme")
    await stage.happened(*recent(h.a_launch(name="theirs")))
    own = await stage.happened(*recent(h.a_launch(name="ours", organization_id=acme["id"])))
    page = await window.open(api, PATH, key=await api.user_key("acme"))
    await expect(page.locator("#feed > li")).to_have_count(own.version)
    assert set(await page.locator("#feed [data-of=name]").all_text_contents()) == {"ours"}


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_nothing_keeps_anybody_from_following(stage: Stage, window: Window, scheme: Any) -> None:
    api = await stage.api()
    instance = await stage.happened(*recent(h.a_failed_launch()))
    for width in (1200, 360):
        page = await window.open(api, PATH, color_scheme=scheme, viewport={"width": width, "height": 740})
        await expect(page.locator("#feed > li")).to_have_count(instance.version)
        await page.locator("#feed summary").first.click()
        assert await complaints(page) == []
        assert await page.evaluate("document.documentElement.scrollWidth") <= width
