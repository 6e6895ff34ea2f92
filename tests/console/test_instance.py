"""One instance: its steps against what is usual, why it failed, what it was before, and what may be done with it."""

import asyncio
import re
from collections.abc import Iterator
from datetime import timedelta
from itertools import count
from typing import Any

import pytest
from playwright.async_api import Page, Route, expect

from shared.install_output import InstallOutput, InstallOutputs, OutputLine
from shared.lifecycle.events import DrainRequested, Event, InstanceArchived, ReinstallRequested, TerminationRequested
from shared.lifecycle.fold import fold
from shared.lifecycle.instance import Instance
from shared.lifecycle.progress import PHASES
from shared.lifecycle.status import Status
from shared.lifecycle.transport import WorkerTls
from shared.worker_output import WorkerOutput, WorkerOutputs
from tests.api.fakes import free_port
from tests.api.stage import RunningApi, Stage, until
from tests.console.conftest import Window
from tests.console.test_fleet import api_at, recent, stayed, stays
from tests.lifecycle import facts as f
from tests.lifecycle import histories as h
from tests.lifecycle.facts import Facts


async def opened(window: Window, api: RunningApi, instance: Instance, query: str = "", **options: Any) -> Page:
    """Its page, once that shows it as it is here."""
    page = await window.open(api, f"/console/instances/{instance.id}{query}", **options)
    await expect(page.locator("#events > li")).to_have_count(instance.version)
    return page


async def versions(page: Page) -> list[int]:
    told = await page.locator("#events button").evaluate_all("(all) => all.map((one) => Number(one.dataset.version))")
    return [int(version) for version in told]


async def knowing_three_launches(stage: Stage) -> RunningApi:
    await stage.projector()
    for _ in range(3):
        await stage.happened(*recent(h.a_ready_instance()))
    api = await stage.api(eta_refresh_seconds=0.1)

    async def learned() -> bool:
        return len((await api.client.get("/launches")).json()["items"]) == 3

    await until(learned)
    return api


async def test_a_life_is_told_as_it_happens_and_each_step_is_drawn(stage: Stage, window: Window) -> None:
    api = await stage.api(estimate_seconds=0.2)
    *history, last = recent(h.a_ready_instance())
    instance = await stage.happened(*history)
    page = await opened(window, api, instance)
    await expect(page.get_by_role("progressbar")).to_have_attribute("aria-valuenow", "95")
    await expect(page.locator("#eta")).to_contain_text("nine times in ten by")
    loading = page.get_by_role("row", name="loading the model")
    await expect(loading).to_contain_text("s", use_inner_text=True)
    await expect(loading).to_have_attribute("data-state", "done")
    await expect(page.get_by_role("row", name="confirming health")).to_have_attribute("data-state", "running")
    await expect(page.locator("#basis")).to_contain_text("assumptions")
    await stays(page)
    await stage.happened(last, instance_id=instance.id)
    await expect(page.locator("#status")).to_have_text("ready")
    await expect(page.get_by_role("row", name="confirming health")).to_have_attribute("data-state", "done")
    await expect(page.locator("#eta")).to_be_empty()
    assert await stayed(page)


async def test_the_bar_of_a_page_that_comes_as_late_as_the_last_event_is_as_long_as_it_says(
    stage: Stage, window: Window
) -> None:
    await stage.projector()
    api = await stage.api()
    instance = await stage.happened(*recent(h.a_starting_instance()))
    await api.projected(instance)
    page = await opened(window, api, instance)
    percent = instance.progress_percent
    await expect(page.get_by_role("progressbar")).to_have_attribute("aria-valuenow", f"{percent}")
    await expect(page.locator("#bar > span")).to_have_attribute("style", f"transform: translateX({percent - 100}%);")


async def test_a_step_that_is_slower_than_usual_is_called_so(stage: Stage, window: Window) -> None:
    api = await knowing_three_launches(stage)
    page = await opened(window, api, await stage.happened(*recent(h.a_starting_instance())))
    await expect(page.locator("#basis")).to_contain_text("the last 3 launches of this model on this type")
    await expect(page.get_by_role("row", name="creating the server")).to_contain_text("5.0 s, slow")


NAMES = ("preflight", "host_key", "data_disk", "docker_install", "nvidia_toolkit", "image_pull", "worker_start")


def phases_of_an_install() -> Iterator[Event]:
    for index, name in enumerate(NAMES, start=1):
        yield f.ssh_install_phase_reached(phase=name, index=index, total=len(NAMES))


async def test_the_phases_of_an_install_are_told_and_what_it_waits_for_now(stage: Stage, window: Window) -> None:
    await stage.projector()
    api = await stage.api()
    install = (*h.a_launch(), f.ssh_install_started(), *phases_of_an_install())
    *history, last, completed = recent((*install, f.ssh_install_completed()))
    instance = await stage.happened(*history)
    page = await opened(window, api, instance)
    await expect(page.locator("#step")).to_have_text("installing: pulling the image")
    pulling = page.get_by_role("row", name="pulling the image")
    await expect(pulling).to_have_attribute("data-state", "running")
    await expect(pulling).to_have_attribute("data-critical", "")
    await stage.happened(last, completed, instance_id=instance.id)
    await expect(pulling).to_have_attribute("data-state", "done")
    await expect(page.get_by_role("row", name="starting the worker")).to_have_attribute("data-state", "done")
    await expect(page.locator("#step")).to_have_text("waiting for the worker")
    rows = await page.locator("#waterfall tr[data-phase] th").all_text_contents()
    assert rows == [PHASES[name] for name in NAMES]


async def test_the_build_of_a_machine_image_waits_for_no_worker(stage: Stage, window: Window) -> None:
    await stage.projector()
    api = await stage.api()
    phases = (*NAMES[:-1], "weights", "warm", "seal")
    told = [f.ssh_install_phase_reached(phase=name, index=at, total=len(phases)) for at, name in enumerate(phases, 1)]
    *history, sealed = recent((*h.an_installing_instance(purpose="machine_image"), *told, f.machine_sealed()))
    instance = await stage.happened(*history[:-1])
    page = await opened(window, api, instance)
    await expect(page.locator("#step")).to_have_text("installing: running the model once")
    await stage.happened(history[-1], sealed, instance_id=instance.id)
    await expect(page.locator("#step")).to_have_text("storing the machine image")
    rows = await page.locator("#waterfall tr:not([data-phase]) th").all_text_contents()
    assert (rows[-2:], "waiting for the worker" in rows) == (["installing", "storing the machine image"], False)


async def test_what_had_time_to_spare_says_how_much_and_is_not_marked(stage: Stage, window: Window) -> None:
    await stage.projector()
    api = await stage.api()
    history = recent((*h.a_launch(), f.ssh_install_started(), *phases_of_an_install(), f.ssh_install_completed()))
    instance = await stage.happened(*history)

    async def with_weights(route: Route) -> None:
        answer = await route.fetch()
        path = await answer.json()
        pull = next(each for each in path["intervals"] if each["step"] == "image_pull")
        weights = {"step": "weights", "label": "fetching the weights", "critical": False, "slack_seconds": 3.5}
        path["intervals"].insert(path["intervals"].index(pull) + 1, {**pull, **weights, "install_try": 2})
        await route.fulfill(response=answer, json=path)

    page = await window.open(api, "/sign-in")
    await page.route("**/critical-path?*", with_weights)
    await page.goto(f"{api.url}/console/instances/{instance.id}")
    weights = page.get_by_role("row", name="fetching the weights (try 2)")
    await expect(weights).to_contain_text("3.5 s to spare")
    await expect(weights).not_to_have_attribute("data-critical", "")
    await expect(weights.locator(".spare")).to_be_visible()
    pulling = page.get_by_role("row", name="pulling the image")
    await expect(pulling).to_have_attribute("data-critical", "")
    await expect(pulling.locator(".spare")).to_be_hidden()
    await expect(page.get_by_text("Underlined: on the critical path")).to_be_visible()


async def test_the_phases_are_asked_for_again_until_the_read_model_has_them(stage: Stage, window: Window) -> None:
    await stage.projector()
    api = await stage.api()
    instance = await stage.happened(*recent(h.a_ready_instance()))
    asked = count(1)

    async def at_first_behind(route: Route) -> None:
        answer = await route.fetch()
        path = await answer.json()
        await route.fulfill(response=answer, json=path | {"intervals": []} if next(asked) <= 2 else path)

    page = await window.open(api, "/sign-in")
    await page.route("**/critical-path?*", at_first_behind)
    await page.goto(f"{api.url}/console/instances/{instance.id}")
    await expect(page.get_by_text("Underlined: on the critical path")).to_be_hidden()
    await expect(page.locator("#waterfall tr[data-phase]")).to_have_count(len(f.PHASES))
    await expect(page.get_by_text("Underlined: on the critical path")).to_be_visible()


async def test_what_is_usual_is_of_the_type_that_it_got(stage: Stage, window: Window) -> None:
    api = await knowing_three_launches(stage)
    request, created, *_ = recent(h.a_launch(instance_types=("H100-1-80G", "L4-1-24G")))
    instance = await stage.happened(request)
    page = await opened(window, api, instance)
    await expect(page.locator("#basis")).to_contain_text("at this provider")
    await stage.happened(created, instance_id=instance.id)
    await expect(page.locator("#basis")).to_contain_text("of this model on this type")


async def test_a_failure_shows_its_cause_and_what_to_do(stage: Stage, window: Window) -> None:
    api = await stage.api()
    output = ("Get:1 http://mirror.test/ubuntu noble InRelease", "E: Unable to fetch some archives")
    history = (
        *h.an_installing_instance(),
        f.ssh_install_failed(output=output),
        f.startup_failed(code="install_failed", message="apt-get could not reach its mirror."),
    )
    page = await opened(window, api, await stage.happened(*recent(history)))
    alert = page.locator("#failure")
    await expect(alert).to_contain_text("startup failed at 59 %, installing")
    await expect(alert).to_contain_text("apt-get could not reach its mirror.")
    await expect(alert).to_contain_text("keep_for_inspection")
    await expect(page.locator("#output")).to_have_text("\n".join(output))
    await expect(page.get_by_role("row", name="installing")).to_have_attribute("data-state", "stopped")
    failed = page.url
    await page.get_by_role("button", name="Relaunch").click()
    await page.locator("#confirm-do").click()
    await expect(page.locator("#status")).to_have_text("provisioning")
    assert page.url != failed
    await expect(page.get_by_role("button", name="Relaunch")).to_be_hidden()


async def test_a_relaunch_that_asks_for_something_else_says_so_before_it_leads_there(
    stage: Stage, window: Window
) -> None:
    api = await stage.api()
    page = await opened(window, api, await stage.happened(*recent(h.a_failed_launch())))
    await page.get_by_role("button", name="Relaunch").click()
    await page.locator("#confirm-do").click()
    await expect(page.locator("#relaunched")).to_contain_text("so it may get any type that fits the model")
    await page.get_by_role("link", name="Show the new instance").click()
    await expect(page.locator("#status")).to_have_text("provisioning")


async def test_the_last_lines_of_a_worker_that_failed_and_the_state_of_its_machine_are_shown(
    stage: Stage, window: Window
) -> None:
    api = await stage.api()
    failed = f.startup_failed(code="disk_full", output=("No space left on device",))
    instance = await stage.happened(*recent((*h.a_starting_instance(), failed)))
    page = await opened(window, api, instance)
    await expect(page.locator("#worker-output")).to_have_text("No space left on device")
    line = OutputLine(number=1, at=instance.updated_at, text="No space left on device")
    output = WorkerOutput(attempt=1, lines=(line,), machine=("/dev/vda 100% /",), updated_at=instance.updated_at)
    await WorkerOutputs(stage.connection.jetstream(), replicas=1).publish(instance.id, output)
    await stage.happened(f.resources_released(), instance_id=instance.id)
    await expect(page.locator("#worker-output")).to_have_text("No space left on device\n/dev/vda 100% /")


async def test_a_machine_that_was_kept_is_told_of_as_long_as_it_stands(stage: Stage, window: Window) -> None:
    api = await stage.api()
    history = (*h.an_installing_instance(keep_for_inspection=True), f.startup_failed())
    instance = await stage.happened(*recent(history))
    page = await opened(window, api, instance)
    await expect(page.locator("#failure")).to_contain_text("Its machine is kept for inspection.")
    await expect(page.get_by_role("button", name="Reinstall")).to_be_visible()
    await stage.happened(f.server_lost(), instance_id=instance.id)
    await expect(page.locator("#failure")).not_to_contain_text("was kept")
    await expect(page.get_by_role("button", name="Reinstall")).to_be_hidden()


async def test_what_the_install_prints_is_shown_as_it_comes_and_as_far_as_it_was(stage: Stage, window: Window) -> None:
    api = await stage.api()
    history = recent(h.an_installing_instance())
    instance = await stage.happened(*history)
    outputs = InstallOutputs(stage.connection.jetstream(), replicas=1)
    began = history[-1].occurred_at

    async def printed(*texts: str, install_try: int = 1) -> None:
        lines = tuple(
            OutputLine(number=number, at=began + timedelta(seconds=number), text=text)
            for number, text in enumerate(texts, start=1)
        )
        told = InstallOutput(attempt=1, install_try=install_try, lines=lines, updated_at=began)
        await outputs.publish(instance.id, told)

    page = await opened(window, api, instance)
    shown = page.locator("#output-part")
    await expect(shown).to_be_hidden()
    await printed("::phase::preflight", "all there")
    await expect(shown.locator("pre")).to_have_text("::phase::preflight\nall there")
    await printed("E: no access", install_try=2)
    await expect(shown).to_contain_text("try 2")
    await expect(shown.locator("pre")).to_have_text("E: no access")
    await expect(shown.locator("pre")).to_be_visible()
    await page.locator("#events").get_by_text("SshInstallStarted").click()
    await expect(shown).to_be_hidden()  # nothing was printed when it began
    await page.get_by_role("button", name="Back to now").click()
    await expect(shown.locator("pre")).to_have_text("E: no access")


async def test_what_it_was_at_any_event_can_be_looked_at_again(stage: Stage, window: Window) -> None:
    api = await stage.api()
    history = recent(h.a_ready_instance())
    instance = await stage.happened(*history)
    page = await opened(window, api, instance)
    slider = page.get_by_label("As it was")
    await slider.focus()
    await page.keyboard.press("Home")
    for version in range(1, instance.version):
        was = fold(history[:version])
        assert was is not None
        await expect(page.locator("#past")).to_contain_text(f"after {history[version - 1].type()}.")
        await expect(page.locator("#status")).to_have_text(was.status)
        await expect(page.get_by_role("progressbar")).to_have_attribute("aria-valuenow", str(was.progress_percent))
        shown = await page.locator("#json").text_content()
        assert Instance.model_validate_json(shown or "").model_copy(update={"id": was.id}) == was
        await page.keyboard.press("ArrowRight")
    await expect(page.locator("#past")).to_be_hidden()
    await expect(page.locator("#status")).to_have_text("ready")
    await page.locator("#events").get_by_text("SshReachable").click()
    await expect(page.locator("#status")).to_have_text("booting")
    await expect(page.locator("#actions button:visible")).to_have_count(0)  # the past is not to be changed
    address = page.url
    await stage.happened(f.health_lost(), instance_id=instance.id)
    await expect(page.locator("#events > li")).to_have_count(instance.version + 1)
    await expect(page.locator("#status")).to_have_text("booting")
    await page.get_by_role("button", name="Back to now").click()
    await expect(page.locator("#status")).to_have_text("unavailable")
    await page.goto(address)
    await expect(page.locator("#status")).to_have_text("booting")


async def test_what_it_was_is_found_by_dragging_along_its_steps(stage: Stage, window: Window) -> None:
    """Five seconds lie between two events; the failure, which ends the picture, is told above it."""
    api = await stage.api()
    history = recent((*h.an_installing_instance(), f.ssh_install_failed(), f.startup_failed()))
    instance = await stage.happened(*history)
    page = await opened(window, api, instance)
    await page.set_viewport_size({"width": 1280, "height": 900})  # what says "as it was" covers none of the steps
    began, ended = history[0].occurred_at, history[-1].occurred_at
    track = page.locator("#waterfall .track").nth(2)
    box = await track.bounding_box()
    assert box is not None
    y = box["y"] + box["height"] / 2

    async def goes(version: int) -> None:
        """Just behind this event."""
        then = history[version - 1].occurred_at + timedelta(seconds=1)
        await page.mouse.move(box["x"] + box["width"] * ((then - began) / (ended - began)), y)

    async def is_as_it_was(version: int) -> None:
        was = fold(history[:version])
        assert was is not None
        await expect(page.locator("#past")).to_contain_text(f"after {history[version - 1].type()}.")
        await expect(page.locator("#status")).to_have_text(was.status)
        await expect(page.locator("#snapshot-title")).to_have_text(f"At event {version}")
        assert await track.bounding_box() == box

    await expect(page.locator("#failure")).to_be_visible()
    await goes(5)
    await expect(page.locator("#past")).to_be_hidden()
    await page.mouse.down()
    await is_as_it_was(5)
    for version in (7, 12, 2, instance.version - 1):
        await goes(version)
        await is_as_it_was(version)
    await page.mouse.move(box["x"] - 50, y + 200)
    await is_as_it_was(1)
    await page.mouse.up()
    await goes(7)
    await is_as_it_was(1)
    await expect(page).to_have_url(re.compile(r"at=1$"))
    await page.mouse.move(box["x"] + box["width"], y)
    await page.mouse.down()
    await expect(page.locator("#snapshot-title")).to_have_text("Now")
    await page.mouse.up()
    await expect(page.locator("#failure")).to_be_visible()
    assert await track.bounding_box() == box


async def test_a_finger_that_scrolls_over_the_steps_chooses_nothing_and_one_that_taps_does(
    stage: Stage, window: Window
) -> None:
    api = await stage.api()
    instance = await stage.happened(*recent(h.a_ready_instance()))
    page = await opened(window, api, instance, has_touch=True, viewport={"width": 360, "height": 740})
    track = page.locator("#waterfall .track").first
    await track.scroll_into_view_if_needed()
    box = await track.bounding_box()
    assert box is not None
    before = int(await page.evaluate("scrollY"))
    finger = await page.context.new_cdp_session(page)
    for kind, up in (("touchStart", 0), *(("touchMove", 10 * step) for step in range(1, 12)), ("touchEnd", None)):
        points = [] if up is None else [{"x": box["x"] + 1, "y": box["y"] + 5 - up}]
        await finger.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})

    async def scrolled() -> bool:
        return int(await page.evaluate("scrollY")) > before

    await until(scrolled)
    await expect(page.locator("#past")).to_be_hidden()
    await track.tap(position={"x": 1, "y": 5})
    await expect(page.locator("#past")).to_contain_text("after InstanceRequested.")


async def test_an_address_that_names_its_newest_event_is_that_of_now(stage: Stage, window: Window) -> None:
    api = await stage.api()
    instance = await stage.happened(*recent(h.a_ready_instance()))
    page = await opened(window, api, instance, query=f"?at={instance.version}")
    await expect(page.get_by_role("button", name="Drain")).to_be_visible()
    await expect(page.locator("#past")).to_be_hidden()
    await expect(page).to_have_url(re.compile(f"{instance.id}$"))
    await stage.happened(f.health_lost(), instance_id=instance.id)
    await expect(page.locator("#status")).to_have_text("unavailable")
    await page.goto(f"{page.url}?at={instance.version}")
    await expect(page.locator("#past")).to_contain_text("after InstanceReady.")
    await expect(page.get_by_role("button", name="Drain")).to_be_hidden()


async def test_what_is_usual_is_asked_for_again_though_nothing_more_happens(stage: Stage, window: Window) -> None:
    window.forgives = "net::ERR_FAILED"
    api = await stage.api()
    instance = await stage.happened(*recent(h.a_ready_instance()))
    page = await window.open(api, "/sign-in")
    await page.route("**/steps", lambda route: route.abort())
    async with page.expect_event("requestfailed"):
        await page.goto(f"{api.url}/console/instances/{instance.id}")
    await expect(page.locator("#events > li")).to_have_count(instance.version)
    await page.unroute("**/steps")
    await expect(page.locator("#basis")).to_contain_text("The band shows the usual duration")


ACTIONS = (
    ("Drain", h.a_ready_instance(), DrainRequested, Status.DRAINING),
    ("Terminate", h.a_ready_instance(), TerminationRequested, Status.TERMINATING),
    ("Reinstall", h.a_ready_instance(), ReinstallRequested, Status.INSTALLING),
    ("Archive", h.a_terminated_instance(), InstanceArchived, Status.ARCHIVED),
)


@pytest.mark.parametrize(("verb", "history", "recorded", "status"), ACTIONS, ids=[verb for verb, *_ in ACTIONS])
async def test_what_is_confirmed_is_recorded_and_what_is_cancelled_is_not_even_asked(
    *, stage: Stage, window: Window, verb: str, history: Facts, recorded: type[Event], status: Status
) -> None:
    await stage.projector()
    api = await stage.api()
    instance = await stage.happened(*recent(history))
    page = await opened(window, api, instance)
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.method) if request.method != "GET" else None)
    dialog = page.get_by_role("dialog")
    await page.get_by_role("button", name=verb).click()
    await expect(dialog).to_contain_text(f"{verb} {instance.specification.name}?")
    await dialog.get_by_role("button", name="Cancel").click()
    await expect(dialog).to_be_hidden()
    assert asked == []
    await page.get_by_role("button", name=verb).click()
    await dialog.get_by_role("button", name=verb).click()
    await expect(page.locator("#status")).to_have_text(status)
    await expect(dialog).to_be_hidden()
    assert len(asked) == 1
    assert (await stage.journal.load(instance.id)).version == instance.version + 1
    timeline = (await api.client.get(f"/instances/{instance.id}/timeline", params={"limit": 200})).json()["items"]
    assert (timeline[-1]["type"], timeline[-1]["actor"]) == (recorded.type(), "api")


async def test_a_page_that_was_cut_off_has_every_event_once(stage: Stage, window: Window) -> None:
    window.forgives = "net::ERR_"
    port = free_port()
    async with api_at(stage, port) as api:
        instance = await stage.happened(*recent(h.a_launch()))
        page = await opened(window, api, instance)
        await stays(page)
    await expect(page.locator("#live")).to_have_text("reconnecting")
    for fact in (*h.an_install(), f.ssh_install_completed()):
        instance = await stage.happened(fact, instance_id=instance.id)
    async with api_at(stage, port):
        await expect(page.get_by_role("progressbar")).to_have_attribute("aria-valuenow", "60")
        assert await versions(page) == list(range(instance.version, 0, -1))
        assert await stayed(page)
        await page.close()


async def test_it_is_ended_only_when_that_is_confirmed(stage: Stage, window: Window) -> None:
    api = await stage.api()
    instance = await stage.happened(*recent(h.a_ready_instance()))
    page = await opened(window, api, instance)
    dialog = page.get_by_role("dialog")
    await page.get_by_role("button", name="Terminate").focus()
    await page.keyboard.press("Enter")
    await expect(dialog).to_contain_text("cannot be undone")
    await expect(dialog).to_contain_text(f"It serves {instance.specification.model}, with ")
    await page.keyboard.press("Escape")
    await expect(dialog).to_be_hidden()
    assert (await stage.journal.load(instance.id)).status is Status.READY
    await page.get_by_role("button", name="Drain").click()
    await dialog.get_by_role("button", name="Drain").click()
    await expect(page.locator("#status")).to_have_text("draining")
    await page.get_by_role("button", name="Terminate").click()
    await dialog.get_by_role("button", name="Terminate").click()
    await expect(page.locator("#status")).to_have_text("terminating")
    await stage.happened(f.instance_terminated(), instance_id=instance.id)
    await page.get_by_role("button", name="Archive").click()
    await dialog.get_by_role("button", name="Archive").click()
    await expect(page.locator("#status")).to_have_text("archived")
    await expect(page.locator("#actions button:visible")).to_have_count(0)


async def test_a_late_answer_closes_no_dialog_that_asks_of_something_else(stage: Stage, window: Window) -> None:
    api = await stage.api()
    instance = await stage.happened(*recent(h.a_ready_instance()))
    page = await opened(window, api, instance)
    answered = asyncio.Event()

    async def late(route: Route) -> None:
        answer = await route.fetch()
        await answered.wait()
        await route.fulfill(response=answer)

    await page.route(f"**/instances/{instance.id}/drain", late)
    dialog = page.get_by_role("dialog")
    await page.get_by_role("button", name="Drain").click()
    await dialog.get_by_role("button", name="Drain").click()
    await page.keyboard.press("Escape")
    await expect(page.locator("#status")).to_have_text("draining")
    await page.get_by_role("button", name="Terminate").click()
    async with page.expect_response(lambda answer: answer.url.endswith("/drain")):
        answered.set()
    await page.evaluate("new Promise((done) => setTimeout(done))")
    await dialog.get_by_role("button", name="Terminate").click()
    await expect(page.locator("#status")).to_have_text("terminating")
    await expect(dialog).to_be_hidden()


async def test_what_is_refused_after_its_dialog_was_closed_opens_it_again(stage: Stage, window: Window) -> None:
    window.forgives = "status of 409"
    api = await stage.api()
    instance = await stage.happened(*recent(h.a_ready_instance()))
    page = await opened(window, api, instance)
    closed = asyncio.Event()

    async def late(route: Route) -> None:
        await closed.wait()
        await route.continue_()

    await page.route(f"**/instances/{instance.id}/drain", late)
    await page.get_by_role("button", name="Drain").click()
    await page.get_by_role("dialog").get_by_role("button", name="Drain").click()
    await page.keyboard.press("Escape")
    await expect(page.get_by_role("dialog")).to_be_hidden()
    await stage.happened(f.termination_requested(), instance_id=instance.id)
    closed.set()
    await expect(page.get_by_role("dialog").get_by_role("alert")).to_contain_text("the instance is terminating")


async def test_what_is_refused_is_said_where_it_was_asked(stage: Stage, window: Window) -> None:
    window.forgives = "status of 409"
    api = await stage.api()
    instance = await stage.happened(*recent(h.a_ready_instance()))
    page = await opened(window, api, instance)
    await page.get_by_role("button", name="Drain").click()
    await stage.happened(f.termination_requested(), instance_id=instance.id)
    await page.get_by_role("dialog").get_by_role("button", name="Drain").click()
    await expect(page.get_by_role("dialog").get_by_role("alert")).to_contain_text("the instance is terminating")


async def test_one_that_there_is_not_is_said_to_be_missing_in_words(stage: Stage, window: Window) -> None:
    window.forgives = "status of 404"
    api = await stage.api()
    for unknown in ("8e2d9a51-6c5a-4a6e-9b60-7d1f2c3b4a59", "nonsense"):
        page = await window.open(api, f"/console/instances/{unknown}")
        await expect(page.get_by_role("heading", name="There is no such instance")).to_be_visible()


@pytest.mark.parametrize(("worker_tls", "words"), [("mutual", "mutual TLS"), ("off", "plain HTTP")])
async def test_how_its_worker_is_talked_to_is_shown_once_that_is_known(
    stage: Stage, window: Window, worker_tls: WorkerTls, words: str
) -> None:
    api = await stage.api()
    launch = recent((*h.a_launch(), f.ssh_install_started(worker_tls=worker_tls)))
    instance = await stage.happened(*launch[:-1])
    page = await opened(window, api, instance)
    await expect(page.locator("#snapshot")).to_contain_text("Attempt")
    await expect(page.locator("#snapshot").get_by_text("Worker", exact=True)).to_have_count(0)
    await stage.happened(launch[-1], instance_id=instance.id)
    await expect(page.locator("#snapshot")).to_contain_text(words)


async def test_the_image_that_the_machine_has_taken_is_shown(stage: Stage, window: Window) -> None:
    image = "vllm/vllm-openai:v0.32.0-cu129"
    api = await stage.api()
    launch = recent((*h.a_launch(), f.ssh_install_started(), f.ssh_install_phase_reached(image=image)))
    page = await opened(window, api, await stage.happened(*launch))
    await expect(page.locator("#snapshot")).to_contain_text(image)
