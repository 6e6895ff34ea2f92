"""When an instance will be ready: what follows from the past, and what never happens whatever the past was."""

from collections.abc import Sequence
from datetime import timedelta
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given as for_any
from hypothesis import strategies as st

from shared.eta.alike import FEWEST, MOST
from shared.eta.estimate import LAUNCHING, Estimate, cold_start, estimate
from shared.eta.history import Group, History
from shared.eta.launch import Launch
from shared.lifecycle.instance import Instance
from shared.lifecycle.status import Status
from tests.eta.past import STEPS, a_launch, pasts, percents, under_way
from tests.lifecycle import facts as f
from tests.lifecycle import histories as h
from tests.lifecycle.arbitrary import histories, law
from tests.lifecycle.facts import Facts

STEADY = History([a_launch(number=number) for number in range(30)])
"""Ten seconds a step."""


def told(instance: Instance, history: History, after: float = 0.0) -> Estimate:
    """`after`: seconds since the instance came as far as it is."""
    assert instance.progress_since is not None
    given = estimate(instance, instance.progress_since + timedelta(seconds=after), history)
    assert given is not None
    return given


@pytest.mark.parametrize("status", Status)
def test_there_is_an_estimate_for_as_long_as_a_launch_is_under_way(status: Status) -> None:
    instance = f.given(*h.IN_STATUS[status])
    assert (estimate(instance, instance.updated_at, STEADY) is not None) is (status in LAUNCHING)
    assert {"provisioning", "booting", "installing", "starting"} == LAUNCHING


def test_while_anything_holds_a_launch_up_there_is_no_estimate_since_past_launches_do_not_say_for_how_long() -> None:
    installing = h.an_installing_instance()
    held_up = f.given(*installing, f.action_delayed(action="install", code="waiting", reason="waits for apt"))
    goes_on = f.given(*installing, f.action_delayed(action="install"), f.action_resumed())
    assert held_up.status is goes_on.status is Status.INSTALLING
    assert estimate(held_up, held_up.updated_at, STEADY) is None
    assert estimate(goes_on, goes_on.updated_at, STEADY) is not None


def test_what_always_took_as_long_will_take_as_long() -> None:
    total = 10.0 * len(STEPS)
    for passed, percent in enumerate((5, *STEPS[:-1])):
        given = told(under_way(percent, passed=10.0 * passed), STEADY, after=4)
        assert given.p50_seconds == pytest.approx(total - 10 * passed - 4)
        assert given.p90_seconds == pytest.approx(total - 10 * passed - 4, rel=0.2)
        assert given.ready_at_p50 == f.AT + timedelta(seconds=4 + given.p50_seconds)
        assert (given.basis.group, given.basis.launches) == (Group.MODEL, 30)


def test_the_spread_of_the_past_is_that_of_the_estimate() -> None:
    history = History([a_launch({60: 1.0, 100: float(10 * (number + 1))}, number=number) for number in range(9)])
    given = told(under_way(60, passed=1), history)
    assert given.p50_seconds == pytest.approx(50, abs=10)
    assert given.p90_seconds >= 80


def test_the_next_launch_is_slower_than_all_before_it_the_more_often_the_fewer_there_were() -> None:
    few, more, many = (History([a_launch(number=number) for number in range(count)]) for count in (3, 10, 30))
    p90s = [told(under_way(5), history).p90_seconds for history in (few, more, many)]
    assert p90s == [pytest.approx(206, abs=1), pytest.approx(138, abs=1), pytest.approx(130, abs=1)]


def test_a_slow_beginning_foretells_a_slow_end_where_it_did_before() -> None:
    paces = [0.5, 0.7, 0.9, 1.0, 1.1, 1.3, 1.5, 2.0] * 4
    foretelling = [a_launch({55: 60.0 * pace, 100: 100.0 * pace}, number=n) for n, pace in enumerate(paces)]
    slow, fast = (told(under_way(55, passed=passed), History(foretelling)).p50_seconds for passed in (90.0, 40.0))
    assert slow == pytest.approx(150, rel=0.15)
    assert fast == pytest.approx(67, rel=0.15)
    telling_nothing = [
        a_launch({55: 60.0 * pace, 100: 100.0 * other}, number=n)
        for n, (pace, other) in enumerate(zip(paces, [1.1, 0.9] * 16, strict=True))
    ]
    slow, fast = (told(under_way(55, passed=passed), History(telling_nothing)).p50_seconds for passed in (90.0, 40.0))
    assert slow == pytest.approx(fast, rel=0.25)


def test_an_hour_without_stock_does_not_make_the_rest_last_for_days() -> None:
    steady = told(under_way(20, passed=10), STEADY).p50_seconds
    assert told(under_way(20, passed=3600), STEADY).p50_seconds <= 3 * steady


def test_a_step_that_overruns_all_that_was_seen_is_given_longer_and_longer() -> None:
    remaining = [told(under_way(60, passed=80), STEADY, after=after).p90_seconds for after in (60, 600, 6000)]
    assert all(later > 5 * sooner for sooner, later in pairwise(remaining))
    assert told(under_way(60, passed=80), STEADY, after=6000).p50_seconds > 1200


def test_the_newest_launches_count_most() -> None:
    before = [a_launch(10.0, number=number) for number in range(40)]
    since = [a_launch(20.0, number=number) for number in range(40, 55)]
    given = told(under_way(5), History(before + since))
    assert given.p50_seconds > 17 * len(STEPS), "of the 40 that are looked at, most took 10 s a step"


@pytest.mark.parametrize(
    ("same", "group"),
    [
        ({}, Group.MODEL),
        ({"model": "another/model"}, Group.INSTANCE_TYPE),
        ({"model": "another/model", "instance_type": "H100-1-80G"}, Group.PROVIDER),
        ({"model": "another/model", "instance_type": None, "provider": "machines"}, Group.ALL),
    ],
)
def test_the_narrowest_group_that_has_enough_launches_is_asked(same: dict[str, Any], group: Group) -> None:
    alike = [a_launch(number=number, **same) for number in range(FEWEST)]
    assert told(under_way(50), History(alike)).basis.group is group
    too_few = told(under_way(50), History(alike[1:])).basis
    assert (too_few.group, too_few.launches) == (Group.BUILT_IN, 0)


def test_no_more_than_so_many_of_a_group_are_looked_at() -> None:
    history = History([a_launch(number=number) for number in range(MOST + 5)])
    assert told(under_way(50), history).basis.launches == MOST


def test_before_the_server_exists_the_type_asked_for_first_counts() -> None:
    history = History([a_launch(number=number) for number in range(FEWEST)])
    instance = f.given(f.instance_requested())
    assert instance.instance_type is None
    assert told(instance, history).basis.group is Group.MODEL


def test_a_reinstall_is_compared_with_reinstalls_and_else_with_the_same_stretch_of_first_launches() -> None:
    first = [a_launch(10.0, number=number) for number in range(5)]
    again = [a_launch(2.0, number=number, attempt=2) for number in range(5, 10)]
    steps = sum(1 for percent in STEPS if percent > 50)
    reinstalled = under_way(50, attempt=2)
    assert told(reinstalled, History(first)).p50_seconds == pytest.approx(10 * steps)
    assert told(reinstalled, History(first + again)).p50_seconds == pytest.approx(2 * steps)
    assert told(under_way(5), History(first + again)).p50_seconds == pytest.approx(10 * len(STEPS))
    assert told(under_way(5), History(again)).basis.group is Group.BUILT_IN


def test_without_a_past_a_launch_is_assumed_to_take_minutes() -> None:
    given = told(under_way(5), History())
    assert 300 < given.p50_seconds < given.p90_seconds < 1800


def test_progress_within_a_step_brings_the_end_nearer() -> None:
    load = {60: 100.0, 61: 10.0, 67: 40.0, 73: 40.0, 79: 40.0, 100: 10.0}
    history = History([a_launch(load, number=number) for number in range(10)])
    remaining = [
        told(under_way(percent, passed=passed), history).p50_seconds
        for percent, passed in ((61, 110), (65, 130), (67, 150), (74, 190), (79, 230))
    ]
    assert remaining == pytest.approx([140, 103, 90, 43, 10], rel=0.15)


def test_snapshots_from_before_progress_had_a_time_are_estimated_too() -> None:
    instance = under_way(50).model_copy(update={"progress_since": None})
    assert estimate(instance, f.AT, STEADY) is not None


# What never happens


@law
@for_any(histories(), pasts, st.floats(-1e6, 1e7))
def test_any_instance_at_any_moment_with_any_past_gets_an_orderly_answer(
    life: Facts, past: list[Launch], after: float
) -> None:
    instance = f.given(*life)
    at = instance.updated_at + timedelta(seconds=after)
    given = estimate(instance, at, History(past))
    if given is None:
        never_ready = instance.status not in LAUNCHING or instance.specification.builds_image
        assert never_ready or instance.progress_percent == 100 or instance.delay is not None
        return
    assert 0 <= given.p50_seconds <= given.p90_seconds
    assert at <= given.ready_at_p50 <= given.ready_at_p90


@law
@for_any(pasts, percents, st.floats(0, 1e5), st.lists(st.floats(-100, 1e5), min_size=2, max_size=20))
def test_while_nothing_happens_the_clock_time_never_moves_nearer(
    past: list[Launch], percent: int, passed: float, moments: Sequence[float]
) -> None:
    history, instance = History(past), under_way(percent, passed=passed)
    given = [told(instance, history, after) for after in sorted(moments)]
    for sooner, later in pairwise(given):
        assert later.ready_at_p50 >= sooner.ready_at_p50
        assert later.ready_at_p90 >= sooner.ready_at_p90


@law
@for_any(st.integers(6, 99), st.floats(1, 1e6), st.floats(0, 100), st.floats(0, 1e6))
def test_what_has_passed_is_not_counted_again(percent: int, before: float, rest: float, passed: float) -> None:
    past = [a_launch({percent: before, 100: rest}, number=number) for number in range(FEWEST)]
    given = told(under_way(percent, passed=passed), History(past))
    assert given.p50_seconds <= 3 * (rest + 2)


@law
@for_any(pasts, percents, st.floats(0, 1e5))
def test_the_same_question_has_the_same_answer(past: list[Launch], percent: int, after: float) -> None:
    instance = under_way(percent)
    assert told(instance, History(past), after) == told(instance, History(reversed(past)), after)


@law
@for_any(pasts)
def test_a_launch_that_is_only_thought_of_takes_as_long_as_one_that_was_just_requested(past: Sequence[Launch]) -> None:
    history = History(past)
    wish = {"provider": "scaleway", "instance_type": "L4-1-24G", "model": "Qwen/Qwen2.5-0.5B-Instruct"}
    assert cold_start(history, **wish, at=f.AT) == told(under_way(5), history)


def test_the_usual_type_of_a_model_is_that_of_its_newest_launch() -> None:
    history = History([
        a_launch(number=1, instance_type="L40S-1-48G"),
        a_launch(number=2, instance_type="H100-1-80G"),
        a_launch(number=3, provider="machines", instance_type="desk"),
        a_launch(number=4, model="meta/llama"),
    ])  # fmt: skip
    assert history.usual_type("scaleway", "Qwen/Qwen2.5-0.5B-Instruct") == "H100-1-80G"
    assert history.usual_type("scaleway", "nobody/nothing") is None
