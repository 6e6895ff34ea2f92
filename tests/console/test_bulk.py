"""Several instances of the fleet are ended at once: chosen, confirmed with what they cost, and answered one by one."""

import re
from typing import Any, Final
from uuid import UUID

import pytest
from playwright.async_api import Locator, Page, Route, expect

from shared.deployments.events import deployment_id
from shared.lifecycle.events import InstanceCreated
from shared.lifecycle.instance import Instance
from shared.lifecycle.status import Status
from shared.lifecycle.wish import OfDeployment
from tests.api.stage import RunningApi, Stage
from tests.console.conftest import Window
from tests.console.test_fleet import recent, row
from tests.console.test_pages import complaints
from tests.lifecycle import facts as f
from tests.lifecycle import histories as h

REPLICA: Final = OfDeployment(
    deployment_id=deployment_id("chat", None), deployment_name="chat", revision=1, ordinal=0, generation=1
)


async def opened(
    stage: Stage, window: Window, *histories: tuple[Any, ...], **options: Any
) -> tuple[RunningApi, Page, list[Instance]]:
    """The fleet, ready to choose from it."""
    api = await stage.api()
    instances = [await stage.happened(*recent(history)) for history in histories]
    page = await window.open(api, **options)
    await expect(page.locator("#rows .row")).to_have_count(len(instances))
    await page.get_by_role("button", name="Choose several").click()
    return api, page, instances


def box(page: Page, instance: Instance) -> Locator:
    return row(page, instance).get_by_role("checkbox")


async def ends(page: Page, number: int) -> None:
    await page.get_by_role("button", name="Terminate the chosen").click()
    await page.get_by_role("dialog").get_by_role("button", name=f"Terminate {number}", exact=True).click()


async def status(stage: Stage, instance: Instance) -> Status:
    return (await stage.journal.load(instance.id)).status


async def test_those_that_are_chosen_are_ended_once_that_is_confirmed_and_no_other(
    stage: Stage, window: Window
) -> None:
    names = ("first", "second", "third")
    _, page, (first, second, third) = await opened(stage, window, *(h.a_ready_instance(name=name) for name in names))
    await expect(page.get_by_role("button", name="Terminate the chosen")).to_be_disabled()
    for chosen in (first, third):
        await box(page, chosen).check()
    await expect(page.locator("#chosen-words")).to_have_text("2 instances · €1.50 an hour")
    await page.get_by_role("button", name="Terminate the chosen").click()
    dialog = page.get_by_role("dialog")
    for words in ("Terminate 2 instances?", "first, third.", "They cost €1.50 an hour.", "2 of them serve requests."):
        await expect(dialog).to_contain_text(words)
    await page.keyboard.press("Escape")
    assert await status(stage, first) is Status.READY
    await ends(page, 2)
    await expect(page.locator("#answers")).to_be_focused()
    await expect(page.locator("#answers-title")).to_have_text("2 instances will be terminated.")
    assert await page.locator("#answers-list li").all_inner_texts() == ["first terminating", "third terminating"]
    for instance, expected in ((first, "terminating"), (second, "ready"), (third, "terminating")):
        assert await status(stage, instance) == expected
        await expect(row(page, instance).locator(".status")).to_have_text(expected)
    await expect(box(page, first)).to_be_disabled()
    await page.get_by_role("button", name="Close").click()
    await expect(page.locator("#answers")).to_be_hidden()
    await expect(page.get_by_role("button", name="Choose several")).to_be_focused()


async def test_what_is_refused_is_said_of_its_row_and_stays_chosen(stage: Stage, window: Window) -> None:
    window.forgives = "status of 503"
    _, page, (first, second) = await opened(stage, window, *(h.a_ready_instance(name=name) for name in ("one", "two")))

    async def refused(route: Route) -> None:
        problem = {"title": "The event stream is unavailable", "detail": "Try again in a moment.", "errors": []}
        await route.fulfill(status=503, json=problem)

    await page.route(f"**/instances/{second.id}", refused, times=1)
    await page.get_by_role("button", name="Choose all").click()
    await ends(page, 2)
    await expect(page.locator("#answers-title")).to_have_text("1 instance will be terminated. 1 refused.")
    answers = page.locator("#answers-list li")
    await expect(answers.first).to_have_text("two The event stream is unavailable. Try again in a moment.")
    await expect(box(page, second)).to_be_checked()
    await expect(row(page, first).locator(".status")).to_have_text("terminating")
    await ends(page, 1)
    await expect(row(page, second).locator(".status")).to_have_text("terminating")


async def test_what_is_out_of_sight_or_cannot_be_ended_is_not_chosen(stage: Stage, window: Window) -> None:
    histories = (h.a_ready_instance(name="ready"), h.a_starting_instance(name="starting"), h.a_terminating_instance())
    _, page, (ready, starting, ending) = await opened(stage, window, *histories)
    await page.get_by_role("button", name="Choose all").click()
    await expect(box(page, ending)).to_be_disabled()
    await expect(page.locator("#chosen-words")).to_contain_text("2 instances")
    await page.get_by_role("searchbox").fill("start")
    await expect(page.locator("#chosen-words")).to_contain_text("1 instance")
    await page.get_by_role("searchbox").fill("")
    await expect(box(page, ready)).not_to_be_checked()
    await expect(box(page, starting)).to_be_checked()
    await stage.happened(f.termination_requested(), instance_id=starting.id)
    await expect(box(page, starting)).to_be_disabled()
    await expect(page.locator("#chosen-words")).to_have_text("Choose instances to terminate.")
    await page.get_by_role("button", name="Choose several").click()
    await expect(box(page, ready)).to_be_hidden()


async def test_the_confirmation_says_what_is_a_replica_and_whose_price_nobody_knows(
    stage: Stage, window: Window
) -> None:
    replica = h.a_ready_instance(name="chat-0", replica=REPLICA)
    unpriced = tuple(
        fact.model_copy(update={"hourly_price": None}) if isinstance(fact, InstanceCreated) else fact
        for fact in h.a_ready_instance(name="own")
    )
    _, page, _ = await opened(stage, window, replica, unpriced, h.a_created_server(name="not on yet"))
    await page.get_by_role("button", name="Choose all").click()
    await page.get_by_role("button", name="Terminate the chosen").click()
    dialog = page.get_by_role("dialog")
    await expect(dialog).to_contain_text("They cost €0.75 an hour. The price of 1 is not known.")
    await expect(dialog).to_contain_text("1 is a replica, which its deployment replaces.")


async def test_by_keyboard_alone_one_is_ended(stage: Stage, window: Window) -> None:
    _, page, [instance] = await opened(stage, window, h.a_ready_instance(name="one"))
    await box(page, instance).focus()
    await page.keyboard.press("Space")
    await page.get_by_role("button", name="Terminate the chosen").focus()
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("dialog")).to_contain_text("Terminate 1 instance?")
    await page.get_by_role("button", name="Terminate 1", exact=True).focus()
    await page.keyboard.press("Enter")
    await expect(row(page, instance).locator(".status")).to_have_text("terminating")


async def test_a_member_ends_its_own(stage: Stage, window: Window) -> None:
    await stage.projector()
    api = await stage.api()
    acme = UUID((await api.organization("acme"))["id"])
    own = await stage.happened(*recent(h.a_ready_instance(name="own", organization_id=acme)))
    foreign = await stage.happened(*recent(h.a_ready_instance(name="foreign")))
    for instance in (own, foreign):
        await api.projected(instance)
    page = await window.open(api, key=await api.user_key("acme"))
    await page.get_by_role("button", name="Choose several").click()
    await page.get_by_role("button", name="Choose all").click()
    await expect(page.locator("#chosen-words")).to_contain_text("1 instance")
    await ends(page, 1)
    await expect(row(page, own).locator(".status")).to_have_text("terminating")
    assert await status(stage, foreign) is Status.READY


@pytest.mark.parametrize("width", [360, 900, 1280])
async def test_nothing_keeps_anybody_from_choosing(stage: Stage, window: Window, width: int) -> None:
    size: Any = {"width": width, "height": 740}
    names = ("w" * 60, "second")
    _, page, instances = await opened(stage, window, *(h.a_ready_instance(name=name) for name in names), viewport=size)
    await box(page, instances[0]).check()
    await expect(page.locator("#chosen-words")).to_have_text(re.compile("1 instance"))
    assert await complaints(page) == []
    assert await page.evaluate("document.documentElement.scrollWidth") <= width
    await page.get_by_role("button", name="Terminate the chosen").click()
    assert await complaints(page) == []
    await page.get_by_role("dialog").get_by_role("button", name="Terminate 1", exact=True).click()
    await expect(page.locator("#answers")).to_be_visible()
    assert await complaints(page) == []
    assert await page.evaluate("document.documentElement.scrollWidth") <= width
