import io
from collections.abc import Iterable, Sequence
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from rich.console import Console

from coldstart.api_client import Api
from coldstart.figures import Figures, UsageToday
from coldstart.fleet import Fleet
from coldstart.fleet_picture import FleetPicture, allotted
from shared.description import InstanceView
from tests.coldstart.told import BEGAN, ID, OTHER_ID, a_view, an_eta, an_id

READY = a_view(cost=1.5, server_on=True)
STARTING = a_view("installing", "SshInstallStarted", 55, id=OTHER_ID, name="another", eta=an_eta(125, 235))
FAILED = a_view("failed", "IpAssigned", 40, id=an_id(3), name="third", error={"code": "c", "message": "m [x]\nmore"})
GONE = a_view("terminated", id=an_id(4), name="fourth")


def serving(number: int, status: str = "ready", **more: Any) -> InstanceView:
    """As `READY`, another one."""
    return a_view(status, id=an_id(number), cost=1.5, server_on=True, **more)


def drawn(
    rows: Iterable[InstanceView], *, width: int = 140, height: int = 30, terminal: bool = True, why: str | None = None
) -> list[str]:
    fleet = Fleet()
    fleet.shown(rows, BEGAN)
    figures = Figures(Api("http://127.0.0.1:9", "k"), fleet)
    figures.in_flight, figures.used = {UUID(ID): 3}, {UUID(ID): UsageToday(1_234, 56_789)}
    console = Console(file=io.StringIO(), width=width, height=height, force_terminal=terminal, color_system=None)
    console.print(FleetPicture(fleet, figures, lambda: why))
    assert isinstance(console.file, io.StringIO)
    return [line.rstrip() for line in console.file.getvalue().splitlines()]


def words(lines: Sequence[str]) -> list[list[str]]:
    return [line.split() for line in lines]


def test_the_head_counts_by_status_and_adds_up_what_an_hour_costs_of_all_servers_that_are_on() -> None:
    lines = drawn([READY, serving(5), serving(6, currency="USD"), STARTING, FAILED, GONE])
    assert lines[0].startswith("5 instances, 1.50 EUR + 0.75 USD an hour  ")
    assert lines[1] == "1 installing  3 ready  1 failed"


def test_failures_come_first_then_who_is_under_way_then_who_serves() -> None:
    lines = drawn([READY, STARTING, FAILED, GONE, serving(5, "draining", name="fifth")])
    assert [line.split("  ")[0] for line in lines if line][2:] == [
        *("in trouble", "third"),
        *("under way", "fifth", "another"),
        *("serving", "qwen"),
    ]
    assert any(line.split() == ["third", "fr-par-2", "failed", "m", "[x]"] for line in lines)
    assert "more" not in "".join(lines)
    (starting,) = (line for line in lines if line.startswith("another"))
    assert "installing" in starting
    assert "in about 2 min, by " in starting


def test_who_waits_for_something_is_shown_with_when_it_is_tried_next() -> None:
    at = BEGAN + timedelta(days=9_999)
    delay = {"action": "create", "number": 1, "code": "out_of_stock", "reason": "no L4", "next_try_at": at}
    lines = drawn([a_view("provisioning", "InstanceRequested", 5, delay=delay)])
    (waiting,) = (line for line in lines if line.startswith("qwen"))
    assert "no L4" in waiting
    assert f"next try at {at.astimezone():%H:%M:%S}" in waiting


def test_who_does_not_answer_is_in_trouble_and_who_ends_says_how() -> None:
    lines = drawn([serving(1, "unavailable"), serving(5, "terminating", name="fifth")])
    assert any(line.split() == ["qwen", "fr-par-2", "unavailable", "not", "answering"] for line in lines)
    (ending,) = (line for line in lines if line.startswith("fifth"))
    assert "deleting its resources" in ending


def test_who_serves_is_shown_with_requests_in_flight_and_what_was_used_today() -> None:
    (wide,) = (line for line in drawn([READY]) if line.startswith("qwen"))
    assert wide.split()[:7] == ["qwen", READY.model, "L4-1-24G", "fr-par-2", "3", "1,234", "56,789"]
    (narrow,) = (line for line in drawn([READY], width=60) if line.startswith("qwen"))
    assert narrow.split() == ["qwen", "3", "1,234", "56,789"]


@pytest.mark.parametrize("width", [40, 60, 80, 100, 120, 200])
@pytest.mark.parametrize("height", [11, 24])
def test_it_is_one_screenful_whatever_the_screen(width: int, height: int) -> None:
    long = "a-name-that-is-as-long-as-names-may-be-" * 2
    rows = [
        row.model_copy(update={"id": uuid4(), "name": long}) for row in (READY, STARTING, FAILED) for _ in range(40)
    ]
    lines = drawn(rows, width=width, height=height, why="a reason " * 30)
    assert len(lines) <= height
    assert all(len(line) <= width for line in lines)
    assert sum("more" in line for line in lines) == 3


def test_where_it_is_no_terminal_nothing_is_left_out() -> None:
    rows = [serving(number) for number in range(100)]
    assert len(drawn(rows, height=10, terminal=False)) == 104


def test_an_empty_fleet_and_a_lost_connection_are_said() -> None:
    lines = drawn([], why="refused")
    assert lines[0].startswith("0 instances, nothing an hour")
    assert lines[1] == "no connection, trying again: refused"


@pytest.mark.parametrize(
    ("wanted", "room", "given"),
    [
        ([1, 1], 10, [1, 1]),
        ([50, 2, 50], 10, [4, 2, 4]),
        ([5], 3, [3]),
        ([3, 3], 0, [0, 0]),
        ([], 9, []),
        ([2], -3, [0]),
    ],
)
def test_whoever_wants_few_lines_leaves_the_rest_to_the_others(wanted: list[int], room: int, given: list[int]) -> None:
    assert allotted(wanted, room) == given


def test_the_time_in_a_step_is_told_in_words() -> None:
    later = STARTING.model_copy(update={"step_since": BEGAN - timedelta(days=1)})
    assert any(" h " in line for line in drawn([later]))
