import io
from datetime import timedelta
from typing import Any

import pytest
from rich.console import Console

from coldstart.stream_messages import Happened, StreamMessage
from coldstart.waiting import expected
from coldstart.watching import Journey, watch, watch_as_json
from shared.lifecycle.groups import SETTLED, StatusGroup
from shared.lifecycle.status import Status
from tests.coldstart.told import BEGAN, ENDING, FAILURE, LAUNCH, an_estimate, an_eta, an_event


def a_journey(*events: Happened, since: int = 0) -> Journey:
    journey = Journey(SETTLED, since)
    for event in events:
        journey.follow(event)
    return journey


def plain() -> Console:
    return Console(file=io.StringIO(), width=60)


def terminal() -> Console:
    return Console(file=io.StringIO(), width=80, height=40, force_terminal=True, color_system=None)


def written(console: Console) -> str:
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_a_journey_tells_the_seconds_that_each_step_took() -> None:
    assert a_journey(*LAUNCH).steps == [
        ("creating the server", 1.0),
        ("growing the volume", 3.0),
        ("installing", 5.5),
        ("waiting for the worker", 2.5),
    ]


def test_an_event_told_again_brings_nothing() -> None:
    journey = a_journey(*LAUNCH[:4])
    assert [journey.follow(event) for event in LAUNCH[:4]] == [None] * 4
    assert len(journey.steps) == 2


def test_a_line_says_progress_status_event_and_what_is_special_about_it() -> None:
    assert a_journey(*LAUNCH[:3]).follow(LAUNCH[3]) == " 57 %  installing   SshInstallPhaseReached (image_pull)"


@pytest.mark.parametrize("events", [LAUNCH, FAILURE, LAUNCH + ENDING])
def test_ready_failed_and_gone_settle_a_journey(events: tuple[Happened, ...]) -> None:
    assert a_journey(*events).settled
    assert not a_journey(*events[:-1]).settled or events[-2].type == "InstanceReady"


def test_what_was_reached_before_the_watch_began_does_not_settle_it() -> None:
    assert not a_journey(*LAUNCH, since=8).settled
    assert a_journey(*LAUNCH, *ENDING, since=8).settled


def test_nothing_told_settles_nothing() -> None:
    assert not Journey(SETTLED).settled


def test_without_a_terminal_each_event_is_one_whole_plain_line() -> None:
    console = plain()
    reason = "so long that it would never fit into sixty columns [of any terminal]"
    delayed = an_event(2, "ActionDelayed", "provisioning", 5, step="InstanceRequested", reason=reason)
    watch(console, [LAUNCH[0], delayed, *LAUNCH[2:]], title="qwen")
    lines = written(console).splitlines()
    assert len(lines) == 6
    assert lines[1] == f"  5 %  provisioning ActionDelayed ({reason})"
    assert "\x1b" not in written(console)


def test_watching_stops_where_the_instance_settles() -> None:
    rest = iter([*LAUNCH, *ENDING])
    journey = watch(plain(), rest, title="qwen")
    assert journey.status is Status.READY
    assert next(rest) == ENDING[0]
    assert watch(plain(), rest, title="qwen", until=[StatusGroup.GONE]).status is Status.TERMINATED


def test_a_terminal_shows_a_bar_with_each_steps_name_and_seconds() -> None:
    console = terminal()
    watch(console, LAUNCH, title="qwen")
    last = written(console).rsplit("qwen", 1)[1]
    assert "100 %" in last
    for step in ("creating the server     1.0 s", "installing              5.5 s", "waiting for the worker  2.5 s"):
        assert f"✓  {step}" in last
    assert last.count("installing") == 1
    assert "●  ready" in last


def test_a_terminal_shows_where_a_failure_stopped() -> None:
    console = terminal()
    watch(console, FAILURE, title="qwen")
    assert "●  creating the server [provisioning failed]" in written(console)
    assert "  5 %" in written(console)


@pytest.mark.parametrize(
    ("status", "says"),
    [
        ("unavailable", "not answering [unavailable]"),
        ("draining", "finishing running requests [draining]"),
        ("terminating", "deleting its resources [terminating]"),
    ],
)
def test_a_terminal_says_what_is_going_on_where_the_step_does_not(status: str, says: str) -> None:
    console = terminal()
    watch(console, [*LAUNCH[:-1], an_event(7, "X", status, 100, step="InstanceReady")], title="qwen")
    assert f"●  {says}" in written(console)


def test_a_script_gets_every_event_as_it_is_once() -> None:
    got: list[dict[str, Any]] = []
    journey = watch_as_json([LAUNCH[0], *LAUNCH, *ENDING], got.append)
    assert got == [event.json for event in LAUNCH]
    assert journey.status is Status.READY


def test_a_terminal_shows_when_it_will_be_ready_until_it_is() -> None:
    console = terminal()
    watch(console, [LAUNCH[0], an_estimate(125, 235)], title="qwen")
    by = (BEGAN + timedelta(seconds=235)).astimezone()
    assert written(console).rsplit("qwen", 1)[1].splitlines()[2].strip() == f"ready in about 2 min, by {by:%H:%M}"
    console = terminal()
    watch(console, [*LAUNCH[:-1], an_estimate(125, 235), LAUNCH[-1]], title="qwen")
    assert "in about" not in written(console).rsplit("qwen", 1)[1]


def test_a_terminal_shows_when_what_it_waits_for_is_tried_next_instead() -> None:
    at = BEGAN + timedelta(days=9_999)
    delay = {"action": "create", "number": 1, "code": "out_of_stock", "reason": "no L4", "next_try_at": at.isoformat()}
    delayed = an_event(2, "ActionDelayed", "provisioning", 5, step="InstanceRequested", delay=delay)
    console = terminal()
    watch(console, [LAUNCH[0], an_estimate(125, 235), delayed], title="qwen")
    last = written(console).rsplit("qwen", 1)[1]
    assert f"next try at {at.astimezone():%H:%M:%S}" in last
    assert "in about" not in last


def test_a_failure_shows_no_time_to_wait_for() -> None:
    console = terminal()
    watch(console, [FAILURE[0], an_estimate(125, 235), *FAILURE[1:]], title="qwen")
    assert "ready in" not in written(console).rsplit("qwen", 1)[1]


def test_without_a_terminal_an_estimate_is_a_line_after_an_event_if_it_says_anything_new() -> None:
    console = plain()
    told: list[StreamMessage] = [an_estimate(130, 240), LAUNCH[0], an_estimate(130, 240), LAUNCH[1], LAUNCH[2]]
    watch(console, [*told, an_estimate(60, 90), an_estimate(50, 80)], title="qwen")
    assert written(console).splitlines() == [
        f"       {expected(an_eta(130, 240))}",
        "  5 %  provisioning InstanceRequested",
        " 20 %  provisioning InstanceCreated",
        " 55 %  installing   SshInstallStarted",
        f"       {expected(an_eta(60, 90))}",
    ]
