import io
from collections.abc import Iterable
from uuid import UUID

import pytest
from rich.console import Console

from coldstart.fleet import Fleet
from coldstart.stream_messages import StreamMessage
from coldstart.watching_many import events_of, watch_many
from shared.description import InstanceView
from tests.coldstart.told import (
    BEGAN,
    ENDING,
    FAILURE,
    ID,
    LAUNCH,
    OTHER_ID,
    a_view,
    an_estimate,
    an_event,
    an_id,
    of_another,
)

OTHER = tuple(of_another(OTHER_ID, event, name="another") for event in LAUNCH)
ROWS = (
    a_view("provisioning", "InstanceRequested", 5),
    a_view("provisioning", "InstanceRequested", 5, id=OTHER_ID, name="another"),
)


def a_fleet(*rows: InstanceView, only: set[UUID] | None = None) -> Fleet:
    fleet = Fleet(only)
    fleet.shown(rows, BEGAN)
    return fleet


def drawn(told: Iterable[StreamMessage], *, width: int = 140, height: int = 20, away: str | None = None) -> list[str]:
    """The last picture."""
    console = Console(file=io.StringIO(), width=width, height=height, force_terminal=True, color_system=None)
    watch_many(console, a_fleet(*ROWS), told, lambda: away)
    assert isinstance(console.file, io.StringIO)
    last = console.file.getvalue().rsplit("\x1b[2K", 1)[-1].replace("\x1b[?25h", "")
    return [line.rstrip() for line in last.splitlines() if line.strip()]


def test_it_ends_once_all_have_settled() -> None:
    rest = iter([*LAUNCH[1:], *OTHER[1:], *ENDING])
    fleet = a_fleet(*ROWS)
    assert [str(event.instance.id) for event in events_of(fleet, rest)] == [ID] * 5 + [OTHER_ID] * 5
    assert next(rest) == ENDING[0]
    assert list(events_of(fleet, rest)) == []


def test_what_is_asked_for_meanwhile_joins_where_all_are_watched_and_what_serves_does_not() -> None:
    drained = of_another(OTHER_ID, ENDING[0])
    told = [drained, *LAUNCH[1:3], *OTHER[1:], *LAUNCH[3:]]
    assert len(list(events_of(a_fleet(ROWS[0]), told))) == 10
    assert len(list(events_of(a_fleet(ROWS[0], only={UUID(ID)}), told))) == 5


def test_endless_it_waits_for_what_is_asked_for_later_though_nothing_is_on_its_way() -> None:
    told = iter([*LAUNCH, ENDING[0], *OTHER])
    assert list(events_of(a_fleet(), told)) == []
    assert len(list(events_of(a_fleet(), told, endless=True))) == 13


def test_what_holds_a_launch_up_is_said_and_never_breaks_a_line() -> None:
    delay = {"action": "create", "number": 3, "code": "c", "reason": "none in fr-par-2 " * 9, "next_try_at": BEGAN}
    delayed = an_event(2, "ActionDelayed", "provisioning", 5, step="InstanceRequested", delay=delay)
    for width in (80, 100, 120, 140):
        lines = drawn([delayed], width=width)
        assert len(lines) == 2
        assert any("creating the server: " in line for line in lines)
        assert all(line.split()[0] in {"qwen", "another"} and len(line) <= width for line in lines)


def test_without_a_terminal_each_is_told_as_it_is_and_each_event_as_a_line_that_says_of_whom() -> None:
    console = Console(file=io.StringIO(), width=20)
    watch_many(console, a_fleet(*ROWS), [LAUNCH[1], an_estimate(125, 235), OTHER[5], LAUNCH[5]], lambda: None)
    assert isinstance(console.file, io.StringIO)
    assert console.file.getvalue().splitlines() == [
        "qwen       5 %  provisioning",
        "another    5 %  provisioning",
        "qwen      20 %  provisioning InstanceCreated",
        "another  100 %  ready        InstanceReady",
        "qwen     100 %  ready        InstanceReady",
    ]


def test_a_terminal_shows_a_line_each_failures_first() -> None:
    first, second = drawn([*OTHER[1:], FAILURE[1]])
    assert first.split()[:3] == ["qwen", "provisioning", "failed"]
    assert "m [x]" in first
    assert second.split()[:2] == ["another", "ready"]


@pytest.mark.parametrize(("width", "shows"), [(140, 5), (100, 2), (80, 1)])
def test_what_does_not_fit_is_left_out_and_no_line_is_ever_broken(width: int, shows: int) -> None:
    told: list[StreamMessage] = [LAUNCH[2], an_estimate(125, 235)]
    lines = drawn(told, width=width)
    assert len(lines) == 2
    assert all(len(line) <= width for line in lines)
    (line,) = (line for line in lines if line.startswith("qwen"))
    every = ["in about 2 min", " h ", ", by ", " EUR", " fr-par-2"]
    assert "installing" in line
    assert [word in line for word in every].count(True) == shows


def test_a_crowd_is_cut_to_the_screen_and_says_how_many_are_left_out() -> None:
    console = Console(file=io.StringIO(), width=100, height=10, force_terminal=True, color_system=None)
    rows = [a_view(id=an_id(number), name=f"n{number}") for number in range(50)]
    fleet = a_fleet(*rows)
    watch_many(console, fleet, [], lambda: None)
    assert isinstance(console.file, io.StringIO)
    assert "… and 42 more" in console.file.getvalue()


def test_a_lost_connection_is_said_below() -> None:
    assert drawn([LAUNCH[1]], away="refused")[-1] == "no connection, trying again: refused"
