"""What may be asked of an instance is the same everywhere: in `decide`, the api, the command line and the console."""

import asyncio
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

from playwright.async_api import Page, expect
from typer.testing import CliRunner

from coldstart.cli import app
from shared.lifecycle.decide import Intent, possible_actions
from shared.lifecycle.instance import Instance
from shared.lifecycle.status import Status
from tests.api.stage import ADMIN_KEY, RunningApi, Stage
from tests.console.conftest import Window
from tests.console.test_fleet import recent
from tests.lifecycle import facts as f
from tests.lifecycle import histories as h
from tests.lifecycle.facts import Facts

KEPT: Final = h.a_failed_start(keep=True)
LIVES: Final[Mapping[str, Facts]] = {
    **{str(status): history for status, history in h.IN_STATUS.items()},
    "released provisioning failure": f.timed(*h.a_failed_launch(), f.resources_released()),
    "released startup failure": f.timed(*h.a_failed_start(), f.resources_released()),
    "released failure": f.timed(*h.IN_STATUS[Status.FAILED], f.resources_released()),
    "kept for inspection": KEPT,
    "kept, and its server was lost": f.timed(*KEPT, f.server_lost()),
    "reinstalled": h.a_reinstalled_instance(),
    "requested": f.timed(f.instance_requested()),
}
"""One in each status, and those in which more than the status counts."""

Told = dict[str, list[str]]


async def test_decide_the_api_the_command_line_and_the_console_offer_the_same(stage: Stage, window: Window) -> None:
    await stage.projector()
    api = await stage.api()
    living = {name: await stage.happened(*recent(history)) for name, history in LIVES.items()}
    decided: Told = {name: list(possible_actions(one, datetime.now(UTC))) for name, one in living.items()}
    shown = {name: (await api.client.get(address(one))).json()["actions"] for name, one in living.items()}
    assert shown == decided
    assert await listed(api, living) == decided
    assert {name: await shown_by_the_command_line(api, one) for name, one in living.items()} == decided
    window.forgives = "status of 503"  # no provisioner runs that could read a failed worker's log
    assert await shown_by_the_console(api, window, living) == decided


async def test_what_is_offered_is_done_and_what_is_not_is_refused(stage: Stage) -> None:
    """On the command line, of an instance that nothing was done to before; to end what is ending is no mistake."""
    api = await stage.api(projection_wait_seconds=0.001)
    for name, history in LIVES.items():
        instance = await stage.happened(*recent(history))
        offered = possible_actions(instance, datetime.now(UTC))
        for intent in Intent:
            if await stage.journal.load(instance.id) != instance:
                instance = await stage.happened(*recent(history))
            consent = () if intent is Intent.ARCHIVE else ("--yes",)
            done = await run(api, "instances", intent, str(instance.id), *consent)
            again = (name, intent) == (Status.TERMINATING, Intent.TERMINATE)
            assert (done.exit_code == 0) is (intent in offered or again), (name, intent, done.output)


def address(instance: Instance) -> str:
    return f"/instances/{instance.id}"


async def listed(api: RunningApi, living: Mapping[str, Instance]) -> Told:
    for instance in living.values():
        await api.projected(instance)
    query: dict[str, Any] = {"status": list(Status), "limit": 200}
    rows = {row["id"]: row["actions"] for row in (await api.client.get("/instances", params=query)).json()["items"]}
    return {name: rows[str(instance.id)] for name, instance in living.items()}


async def shown_by_the_command_line(api: RunningApi, instance: Instance) -> list[str]:
    result = await run(api, "instances", "show", str(instance.id))
    offered = [line for line in str(result.stdout).splitlines() if line.startswith("you can")]
    assert len(offered) <= 1
    return [word for line in offered for word in line.removeprefix("you can").replace(",", "").split()]


async def run(api: RunningApi, *words: str) -> Any:
    """The command in this process; the api answers on its loop."""
    env = {"COLDSTART_API_URL": api.url, "COLDSTART_API_KEY": ADMIN_KEY}
    return await asyncio.to_thread(CliRunner().invoke, app, words, env=env)


async def shown_by_the_console(api: RunningApi, window: Window, living: Mapping[str, Instance]) -> Told:
    page = await window.open(api)
    return {name: await offered_on(page, api, instance) for name, instance in living.items()}


async def offered_on(page: Page, api: RunningApi, instance: Instance) -> list[str]:
    """By its buttons, in the order of Intent."""
    await page.goto(f"{api.url}/console/instances/{instance.id}")
    await expect(page.locator("#events > li")).to_have_count(instance.version)
    await expect(page.locator("#status")).to_have_text(instance.status.replace("_", " "))
    buttons = page.locator("#actions button:visible")
    verbs: list[str] = await buttons.evaluate_all("(all) => all.map((one) => one.dataset.verb)")
    assert set(verbs) <= set(Intent)
    return sorted(verbs, key=list(map(str, Intent)).index)
