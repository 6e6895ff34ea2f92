"""The live feed: what happens, as it happens, of what is asked for."""

import json
import re
from typing import Any
from uuid import uuid4

from playwright.async_api import Page, Route, expect

from shared.lifecycle.instance import Instance
from tests.api.stage import RunningApi, Stage
from tests.console.conftest import Window
from tests.console.test_fleet import recent
from tests.console.test_pages import complaints
from tests.lifecycle import facts as f
from tests.lifecycle import histories as h

PATH = "/console/events"
MOST = 200
BEFORE = 500


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
    assert event["data"].keys() == {"event", "instance"}, "as a follower on NATS gets it"
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
    await expect(page.get_by_text("No event matches yet.")).to_be_visible()


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
    assert (await following.next_msg(timeout=60)).subject == f"lifecycle.{instance.id}.SshInstallStarted"
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


async def an_old_one(stage: Stage, api: RunningApi, **specification: Any) -> Instance:
    """An instance behind whose events there are more than the page looks through."""
    old = await stage.happened(*recent(h.a_launch(**specification)))
    others = 0
    while others <= BEFORE:
        last = await stage.happened(*recent(h.a_ready_instance(name="another")))
        others += last.version
    await api.projected(last)
    return old


async def test_all_of_an_instance_is_there_however_long_ago_it_happened(stage: Stage, window: Window) -> None:
    await stage.projector()
    api = await stage.api()
    old = await an_old_one(stage, api, name="the old one")
    page = await window.open(api, f"{PATH}?instance={old.id}")
    rows = page.locator("#feed > li")
    await expect(rows).to_have_count(old.version)
    await expect(page.locator("#reach")).to_have_text(f"All events of the old one, {old.id}.")
    await stage.happened(f.ssh_install_started(), instance_id=old.id)
    await expect(rows).to_have_count(old.version + 1)
    await page.get_by_label("Type").select_option("InstanceReady")
    await expect(page.get_by_text("No event of the old one matches yet.")).to_be_visible()
    await page.get_by_label("Type").select_option("IpAssigned")
    await expect(rows).to_have_count(1)
    text = page.get_by_label("Instance", exact=True)
    await text.fill("the old")
    await expect(page.get_by_text("None of the events searched here matches.")).to_be_visible()
    await expect(page.locator("#reach")).to_contain_text(re.compile(r"The newest \d{3} events are .*, since \d\d:\d\d"))
    await text.fill("The old one")
    await expect(rows).to_have_count(1)
    await page.get_by_role("button", name="Pause").click()
    await text.fill("")
    await expect(rows).to_have_count(MOST // 10)  # each of the others has got its address
    await expect(page.get_by_role("button", name="Pause")).to_be_visible()


async def test_a_name_is_looked_up_further_than_the_list_s_first_page_and_means_who_lives(
    stage: Stage, window: Window
) -> None:
    await stage.projector()
    api = await stage.api()
    old = await stage.happened(*recent(h.a_launch(name="the old one")))
    await api.projected(old)
    listed = await api.client.get("/instances")
    [shown] = listed.json()["items"]

    async def in_pages(route: Route) -> None:
        further = "cursor=" in route.request.url
        failed = {**shown, "id": str(uuid4()), "group": "failed", "created_at": "2099-01-01T00:00:00Z"}
        items = [failed, shown] if further else [{**shown, "id": str(uuid4()), "name": "a newer one"}]
        body = {"items": items, "next_cursor": None if further else "further"}
        await route.fulfill(json=body, headers={"last-event-id": listed.headers["last-event-id"]})

    page = await window.open(api, "/sign-in")
    await page.route(re.compile(r"/instances\?"), in_pages)
    await page.goto(f"{api.url}{PATH}?instance=the%20old%20one")
    await expect(page.locator("#reach")).to_contain_text(str(old.id))
    await expect(page.locator("#feed > li")).to_have_count(old.version)


async def test_one_that_there_is_not_is_said_to_be_missing(stage: Stage, window: Window) -> None:
    window.forgives = "status of 404"
    page = await window.open(await stage.api(), f"{PATH}?instance={uuid4()}")
    await expect(page.locator("#nothing")).to_contain_text("There is no such instance")
    await page.get_by_label("Instance", exact=True).fill("")
    await expect(page.get_by_text("Nothing has happened yet.")).to_be_visible()


async def test_what_others_did_is_not_taken_for_nothing(stage: Stage, window: Window) -> None:
    await stage.projector()
    api = await stage.api()
    acme = await api.organization("acme")
    old = await an_old_one(stage, api, name="ours", organization_id=acme["id"])
    page = await window.open(api, PATH, key=await api.user_key("acme"))
    await expect(page.locator("#nothing")).to_contain_text(
        f"None of the installation's newest {BEFORE} events is yours."
    )
    await page.get_by_label("Instance", exact=True).fill("ours")
    await expect(page.locator("#feed > li")).to_have_count(old.version)


async def test_a_command_that_follows_more_than_is_shown_says_so(stage: Stage, window: Window) -> None:
    api = await stage.api()
    await stage.happened(*recent(h.a_launch(name="evening")))
    page = await window.open(api, f"{PATH}?instance=even")
    await expect(page.locator(".command")).to_contain_text("lifecycle.>")
    await expect(page.locator(".command")).to_contain_text("for every instance")
    await page.get_by_label("Instance", exact=True).fill("evening")
    await expect(page.locator(".command")).not_to_contain_text("for every instance")
    await page.get_by_label("Instance", exact=True).fill("")
    await expect(page.locator(".command")).not_to_contain_text("for every instance")


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
    await page.get_by_role("button", name="Continue").click()
    await expect(page.locator("#feed > li")).to_have_count(1)


async def test_an_organisation_follows_its_own_alone(stage: Stage, window: Window) -> None:
    api = await stage.api()
    acme = await api.organization("acme")
    await stage.happened(*recent(h.a_launch(name="theirs")))
    own = await stage.happened(*recent(h.a_launch(name="ours", organization_id=acme["id"])))
    page = await window.open(api, PATH, key=await api.user_key("acme"))
    await expect(page.locator("#feed > li")).to_have_count(own.version)
    assert set(await page.locator("#feed [data-of=name]").all_text_contents()) == {"ours"}


async def test_nothing_keeps_anybody_from_following(stage: Stage, window: Window) -> None:
    api = await stage.api()
    instance = await stage.happened(*recent(h.a_failed_launch()))
    for width in (1200, 360):
        page = await window.open(api, PATH, viewport={"width": width, "height": 740})
        await expect(page.locator("#feed > li")).to_have_count(instance.version)
        await page.locator("#feed summary").first.click()
        assert await complaints(page) == []
        assert await page.evaluate("document.documentElement.scrollWidth") <= width
