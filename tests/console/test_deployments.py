"""All deployments and each by itself: as they are, changing as they do, and what may be asked of them."""

import re
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from uuid import UUID

from playwright.async_api import Locator, Page, expect

from shared.clock import CLOCK
from shared.deployments.events import deployment_id, replica_id
from shared.deployments.words import in_words
from shared.lifecycle.fact import Action
from shared.lifecycle.wish import OfDeployment
from shared.load import SUBJECT, DeploymentLoad, LoadReport
from shared.postgres.connection import connect_pool
from tests.api.deployed import deployments, put
from tests.api.stage import EMBEDDING_MODEL, MODEL, RunningApi, Stage
from tests.console.conftest import Window
from tests.console.test_fleet import recent, stayed, stays
from tests.console.test_pages import complaints
from tests.deployments import facts as d
from tests.deployments.recording import happened
from tests.lifecycle import facts as f
from tests.lifecycle import histories as h

LIST: Final = "/console/deployments"
ONE: Final = "/console/deployments/chat"
CHAT: Final = deployment_id("chat", None)


async def running(stage: Stage) -> RunningApi:
    await stage.projector()
    return await stage.api(projection_wait_seconds=5, estimate_seconds=0.2)


async def scaled(stage: Stage, before: int, after: int, of: UUID = CHAT, **more: Any) -> None:
    at = {"deployment_id": of, "occurred_at": CLOCK.now()}
    added = (
        d.replica_added(ordinal=ordinal, instance_id=replica_id(of, 1, ordinal, 1), **at)
        for ordinal in range(before, after)
    )
    await happened(deployments(stage), d.deployment_scaled(before=before, after=after, **at, **more), *added)


async def launched(stage: Stage, ordinal: int = 0, history: Any = None, revision: int = 1) -> None:
    """The instance of a replica, as far as this history."""
    replica = OfDeployment(deployment_id=CHAT, deployment_name="chat", revision=revision, ordinal=ordinal, generation=1)
    request, *rest = recent(history or h.a_ready_instance())
    wish = f.a_specification(name=f"chat-{ordinal}", replica=replica)
    begun = f.instance_requested(specification=wish, occurred_at=request.occurred_at)
    await stage.happened(begun, *rest, instance_id=replica_id(CHAT, revision, ordinal, 1))


async def asks(stage: Stage, in_flight: int, held: int = 0) -> None:
    """An api tells of this load."""
    loads = {CHAT: DeploymentLoad(in_flight=in_flight, held=held)}
    report = LoadReport(process=UUID(int=7), at=CLOCK.now(), deployments=loads)
    await stage.connection.publish(SUBJECT, report.model_dump_json().encode())


def row(page: Page, name: str) -> Locator:
    return page.locator("#rows > * > .endpoint").filter(has=page.get_by_role("link", name=name, exact=True))


async def test_the_list_is_empty_with_a_next_step_and_follows_a_deployment_without_a_reload(
    stage: Stage, window: Window
) -> None:
    api = await running(stage)
    page = await window.open(api, LIST)
    await expect(page.get_by_text("There is no deployment yet")).to_be_visible()
    await expect(page.get_by_role("link", name="Make one", exact=True)).to_be_visible()
    await stays(page)
    await put(api, "chat", {"model": MODEL, "max_replicas": 2})
    await expect(row(page, "chat").locator(".status")).to_have_text("at zero")
    await expect(row(page, "chat")).to_contain_text("no replica")
    await scaled(stage, 0, 2)
    await expect(row(page, "chat")).to_contain_text("0 of 2 ready, 2 on their way")
    await launched(stage)
    await expect(row(page, "chat")).to_contain_text("1 of 2 ready, 1 on its way")
    await expect(row(page, "chat").get_by_role("progressbar")).to_have_attribute("aria-valuenow", "1")
    await expect(row(page, "chat")).to_contain_text("a month")
    await expect(page.get_by_role("status").first).to_contain_text("chat: 1 of 2 ready")
    assert await stayed(page)
    await api.client.delete("/deployments/chat")
    await expect(row(page, "chat").locator(".status")).to_have_text("being deleted")


async def test_those_in_trouble_come_first_and_say_what_hinders_them(stage: Stage, window: Window) -> None:
    api = await running(stage)
    for name in ("alpha", "chat"):
        await put(api, name, {"model": MODEL, "min_replicas": 1})
    await api.organization("acme")
    await put(api, "search", {"model": EMBEDDING_MODEL, "organization": "acme"})
    await scaled(stage, 0, 1)
    why = d.deployment_degraded(wanted=1, ready=0, message="no L4 in any zone", gave_up=True)
    await happened(deployments(stage), why)
    page = await window.open(api, LIST)
    await expect(page.locator("#rows .endpoint")).to_have_count(3)
    assert await page.locator("#rows .endpoint a").all_text_contents() == ["chat", "alpha", "acme/search"]
    await expect(row(page, "chat")).to_contain_text("no L4 in any zone")
    await row(page, "acme/search").get_by_role("link").click()
    await expect(page.get_by_role("heading", name="search", level=1)).to_be_visible()
    await expect(page.locator("#facts")).to_contain_text("acme")


async def test_what_holds_a_replica_up_is_said_with_when_the_next_try_is(stage: Stage, window: Window) -> None:
    api = await running(stage)
    await put(api, "chat", {"model": MODEL, "min_replicas": 1})
    await scaled(stage, 0, 1)
    locked = f.action_delayed(
        action=Action.INSTALL, code="waiting", reason="it is locked", next_try_at=CLOCK.now() + timedelta(hours=1)
    )
    await launched(stage, history=(*h.an_installing_instance(), locked))
    page = await window.open(api, LIST)
    said = re.compile(r"replica 0: it is locked \(for .+, next try at .+\)")
    await expect(row(page, "chat")).to_contain_text(said)
    await row(page, "chat").get_by_role("link").click()
    await expect(page.locator("#trouble")).to_contain_text(said)


async def test_a_deployment_shows_its_replicas_its_load_and_what_was_decided_as_it_happens(
    stage: Stage, window: Window
) -> None:
    api = await running(stage)
    await put(api, "chat", {"model": MODEL, "max_replicas": 3})
    await scaled(stage, 0, 1, message="a request came while there was none")
    await launched(stage)
    await asks(stage, 12, 3)
    page = await window.open(api, ONE)
    await expect(page.locator("#ready-count")).to_have_text("1 of 1 ready")
    await expect(page.locator("#replicas tbody tr")).to_have_count(1)
    link = page.get_by_role("link", name="chat-0")
    await expect(link).to_have_attribute("href", f"/console/instances/{replica_id(CHAT, 1, 0, 1)}")
    await expect(page.locator("#decisions > li").first).to_contain_text("replica 0 of revision 1 is launched")
    await expect(page.locator("#explanation")).to_contain_text("replica")
    await stays(page)
    await scaled(stage, 1, 2, message="31 requests, 16 a replica")
    await expect(page.locator("#decisions")).to_contain_text("1 → 2 replicas: 31 requests, 16 a replica")
    await expect(page.locator("#replicas tbody tr")).to_have_count(2)
    await expect(page.locator("#replicas tbody tr").last).to_contain_text("not launched yet")
    refused = d.replica_refused(instance_id=replica_id(CHAT, 1, 1, 1), message="acme has 2 of at most 2 instances")
    await happened(deployments(stage), refused)
    await expect(page.locator("#replicas")).to_contain_text("acme has 2 of at most 2 instances")
    await expect(page.locator("#trouble")).to_contain_text("Refused for 0:0")
    assert await stayed(page)


async def test_the_load_of_the_last_hour_is_a_picture_and_a_table_with_each_decision(
    stage: Stage, window: Window
) -> None:
    api = await running(stage)
    await put(api, "chat", {"model": MODEL, "max_replicas": 3})
    await scaled(stage, 0, 2)
    page = await window.open(api, ONE)
    await expect(page.locator("#load .decision")).to_have_count(4)
    now = datetime.now(UTC)
    slots = [(CHAT, now - timedelta(minutes=minutes), 9.0, 14.0, 7.5, 1.5, 2.0) for minutes in (10, 15, 20)]
    async with connect_pool(stage.database_url, name="test", command_timeout_s=30) as pool:
        await pool.executemany(
            "INSERT INTO deployment_load (deployment_id, at, mean, peak, in_flight, held, ready) "
            "VALUES ($1, $2, $3, $4, $5, $6, $7)",
            slots,
        )
    await page.reload()
    await expect(page.locator("#load .slot")).to_have_count(4)  # the last is what is heard now
    picture = page.get_by_role("img", name="Load and replicas in the last hour")
    await expect(picture.locator("desc")).to_contain_text("At most 9 requests")
    await expect(picture.locator("desc")).to_contain_text("wanted: 0, then 2")
    await page.get_by_text("As a table").click()
    table = page.get_by_role("region", name="Load and ready replicas")
    await expect(table.locator("tbody tr")).to_have_count(4)
    assert (await table.locator("tbody tr").first.locator("td").all_text_contents()) == ["7.5", "1.5", "14", "2"]


async def test_a_rollout_tells_how_far_it_is_and_why_it_was_halted(stage: Stage, window: Window) -> None:
    api = await running(stage)
    await put(api, "chat", {"model": MODEL, "max_replicas": 3})
    await scaled(stage, 0, 2)
    await launched(stage)
    await put(api, "chat", {"model": MODEL, "max_replicas": 3, "volume_gb": 300})
    at = {"deployment_id": CHAT, "occurred_at": CLOCK.now()}
    new = d.replica_added(revision=2, ordinal=2, instance_id=replica_id(CHAT, 2, 2, 1), reason="rollout", **at)
    await happened(deployments(stage), d.rollout_started(**at), new)
    page = await window.open(api, ONE)
    await expect(page.locator("#rollout-head")).to_have_text("Revision 2 in place of 1")
    await expect(page.locator("#rollout-words")).to_contain_text("0 of 2 replicas are new ones")
    await launched(stage, 2, revision=2)
    await expect(page.locator("#rollout-words")).to_contain_text("1 of 2 replicas are new ones")
    await happened(deployments(stage), d.rollout_halted(message="it has too little memory", **at))
    await expect(page.locator("#trouble")).to_contain_text("it has too little memory")
    await expect(page.get_by_role("button", name="Roll back")).to_be_visible()


async def test_a_deployment_is_scaled_paused_resumed_and_deleted_and_says_before_what_that_does(
    stage: Stage, window: Window
) -> None:
    window.forgives = "status of 422"
    api = await running(stage)
    await put(api, "chat", {"model": MODEL, "max_replicas": 2})
    page = await window.open(api, ONE)
    await page.get_by_role("button", name="Scale").click()
    dialog = page.get_by_role("dialog")
    await dialog.get_by_label("At least").fill("5")
    await dialog.get_by_role("button", name="Scale").click()
    await expect(dialog.locator("#min_replicas-error")).to_contain_text("max_replicas")
    await dialog.get_by_label("At most").fill("6")
    await dialog.get_by_role("button", name="Scale").click()
    await expect(dialog).to_be_hidden()
    await expect(page.locator("#facts")).to_contain_text("5 to 6 replicas")
    await confirmed(page, "Pause", "no request wakes it")
    await expect(page.locator("#status")).to_have_text("paused")
    await expect(page.locator("#no-replica")).to_contain_text("Resume it")
    await confirmed(page, "Resume", "launched again")
    await expect(page.locator("#status")).to_have_text("at zero")
    await confirmed(page, "Restart", "replaced by a new one")
    await expect(page.locator("#revision")).to_have_text("2")
    await confirmed(page, "Delete", "This cannot be undone")
    await expect(page.locator("#no-replica")).to_contain_text("was deleted")
    await expect(page.locator("#actions button:visible")).to_have_count(0)


async def confirmed(page: Page, verb: str, consequence: str) -> None:
    await page.locator("#actions").get_by_role("button", name=verb).click()
    dialog = page.get_by_role("dialog", name=f"{verb} chat?")
    await expect(dialog).to_contain_text(consequence)
    await dialog.get_by_role("button", name=verb).click()
    await expect(dialog).to_be_hidden()


async def test_how_to_use_it_says_whether_a_request_waits(stage: Stage, window: Window) -> None:
    api = await running(stage)
    await put(api, "chat", {"model": MODEL})
    await put(api, "search", {"model": EMBEDDING_MODEL, "hold": 30})
    page = await window.open(api, ONE)
    await expect(page.locator("#code")).to_contain_text(f"{api.url}/v1/chat/completions")
    await expect(page.locator("#code")).to_contain_text(f'"model":"{MODEL}"')
    await expect(page.locator("#use-words")).to_contain_text("the first request wakes it")
    await page.goto(f"{api.url}{LIST}/search")
    await expect(page.locator("#code")).to_contain_text("/v1/embeddings")
    await expect(page.locator("#use-words")).to_contain_text("up to 30 s")


async def test_a_member_sees_its_own_deployments_and_none_of_another(stage: Stage, window: Window) -> None:
    window.forgives = "status of 404"
    api = await running(stage)
    for slug in ("acme", "other"):
        await api.organization(slug)
        await put(api, "chat", {"model": MODEL, "organization": slug})
    page = await window.open(api, LIST, key=await api.user_key("acme"))
    await expect(page.locator("#rows .endpoint")).to_have_count(1)
    await row(page, "acme/chat").get_by_role("link").click()
    await expect(page.locator("#ready-count")).to_have_text("0 of 0 ready")
    await page.goto(f"{api.url}{ONE}?organization=other")
    await expect(page.locator("main")).to_contain_text("No organisation has the slug")


async def test_nothing_keeps_anybody_from_using_the_pages_of_deployments(stage: Stage, window: Window) -> None:
    api = await running(stage)
    page = await window.open(api, LIST)
    await expect(page.locator("#none")).to_be_visible()
    assert await complaints(page) == []
    await put(api, "chat", {"model": MODEL, "max_replicas": 3})
    await scaled(stage, 0, 2)
    await launched(stage)
    await happened(deployments(stage), d.deployment_degraded(message="no L4 in any zone"))
    await expect(row(page, "chat")).to_be_visible()
    assert await complaints(page) == []
    await page.goto(api.url + ONE)
    await expect(page.locator("#load svg")).to_be_visible()
    await page.get_by_text("As a table").click()
    assert await complaints(page) == []
    await page.get_by_role("button", name="Scale").click()
    assert await complaints(page) == []


async def test_the_pages_of_deployments_fit_a_telephone(stage: Stage, window: Window) -> None:
    api = await running(stage)
    await put(api, "a-deployment-with-quite-a-long-name-and-nothing-to-break", {"model": MODEL})
    await put(api, "chat", {"model": MODEL, "max_replicas": 3})
    await scaled(stage, 0, 2)
    await launched(stage)
    page = await window.open(api, LIST, viewport={"width": 360, "height": 740})
    await expect(page.locator("#rows .endpoint")).to_have_count(2)
    assert await page.evaluate("document.documentElement.scrollWidth") <= 360
    await page.goto(api.url + ONE)
    await expect(page.locator("#load svg")).to_be_visible()
    assert await page.evaluate("document.documentElement.scrollWidth") <= 360


async def test_a_decision_says_the_same_on_the_page_as_everywhere(stage: Stage, window: Window) -> None:
    api = await running(stage)
    facts = (d.deployment_created(), d.deployment_scaled(), d.replica_added(), d.replica_replaced())
    await happened(deployments(stage), *facts)
    page = await window.open(api, ONE)
    await expect(page.locator("#decisions > li")).to_have_count(len(facts))
    shown = await page.locator("#decisions > li > :nth-child(2)").all_text_contents()
    assert shown == [in_words(fact) for fact in reversed(facts)]
    assert await page.locator("#decisions .hint").all_text_contents() == ["asked for by key the backend"]


async def test_an_instance_and_the_feed_lead_to_the_deployment_of_whatever_owner(stage: Stage, window: Window) -> None:
    api = await running(stage)
    await api.organization("acme")
    of = (await put(api, "chat", {"model": MODEL, "organization": "acme"}))["id"]
    replica = OfDeployment(deployment_id=of, deployment_name="chat", revision=1, ordinal=3, generation=1)
    instance = await stage.happened(f.instance_requested(specification=f.a_specification(replica=replica)))
    page = await window.open(api, f"/console/instances/{instance.id}")
    await page.get_by_role("link", name="Replica 3 of chat").click()
    await expect(page).to_have_url(f"{api.url}{ONE}?organization=acme")
    await page.goto(f"{api.url}/console/events?type=DeploymentCreated")
    created = page.locator("#feed > li")
    await expect(created).to_have_count(1)
    await expect(created).to_contain_text("created, with 0 to 1 replica")
    await created.locator("summary").click()
    await created.get_by_role("link", name="Its deployment").click()
    await expect(page).to_have_url(f"{api.url}{ONE}?organization=acme")


async def test_nobody_is_led_to_a_deployment_of_another_organisation(stage: Stage, window: Window) -> None:
    window.forgives = "status of 404"
    api = await running(stage)
    for slug in ("acme", "other"):
        await api.organization(slug)
    of = (await put(api, "chat", {"model": MODEL, "organization": "other"}))["id"]
    page = await window.open(api, f"{LIST}/by-id/{of}", key=await api.user_key("acme"))
    await expect(page.locator("main")).to_contain_text("There is no such deployment")


async def test_what_is_pointed_at_in_the_list_of_decisions_is_shown_in_the_picture(
    stage: Stage, window: Window
) -> None:
    api = await running(stage)
    await put(api, "chat", {"model": MODEL})
    await scaled(stage, 0, 1)
    page = await window.open(api, ONE)
    await expect(page.locator("#load .decision")).to_have_count(3)
    await page.locator('#decisions > li[data-version="2"]').hover()
    await expect(page.locator("#load .decision[data-near]")).to_have_attribute("data-version", "2")
