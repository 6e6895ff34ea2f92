"""What an instance has cost, given when its server was on."""

from datetime import timedelta

import pytest

from shared.lifecycle.cost import cost
from tests.lifecycle import facts as f
from tests.lifecycle import histories as h
from tests.lifecycle.facts import AT, given

HOUR = timedelta(hours=1)


def started() -> f.Facts:
    return (*h.a_created_server(), f.instance_started(occurred_at=AT))


def test_a_server_that_was_never_on_costs_nothing() -> None:
    assert cost(given(*h.a_created_server()), AT + HOUR) == 0


def test_a_running_server_costs_its_price_by_the_hour() -> None:
    assert cost(given(*started()), AT + 2 * HOUR) == pytest.approx(1.5)


def test_without_a_price_the_cost_is_unknown() -> None:
    unpriced = f.instance_created(hourly_price=None, currency=None)
    assert cost(given(f.instance_requested(), unpriced, f.instance_started()), AT + HOUR) is None


def test_a_server_that_somebody_stopped_costs_nothing_until_it_is_on_again() -> None:
    stopped = (*started(), f.server_stopped(occurred_at=AT + HOUR))
    assert cost(given(*stopped), AT + 5 * HOUR) == pytest.approx(0.75)
    restarted = (*stopped, f.server_restarted(occurred_at=AT + 3 * HOUR))
    assert cost(given(*restarted), AT + 5 * HOUR) == pytest.approx(3 * 0.75)


@pytest.mark.parametrize(
    "end",
    [
        (f.server_lost(occurred_at=AT + HOUR),),
        (f.termination_requested(), f.instance_terminated(occurred_at=AT + HOUR)),
        (f.instance_failed(), f.resources_released(occurred_at=AT + HOUR)),
        (f.termination_requested(), f.server_deleted(occurred_at=AT + HOUR)),
        (f.server_lost(occurred_at=AT + HOUR), f.server_restarted(occurred_at=AT + 2 * HOUR)),
    ],
)
def test_what_is_gone_costs_no_more(end: f.Facts) -> None:
    assert cost(given(*started(), *end), AT + 9 * HOUR) == pytest.approx(0.75)


def test_a_restart_from_before_the_stop_is_late_and_counts_for_nothing() -> None:
    stopped = given(*started(), f.server_stopped(occurred_at=AT + HOUR), f.server_restarted(occurred_at=AT))
    assert not stopped.server_on


def test_a_power_on_that_is_told_after_its_server_went_costs_nothing() -> None:
    gone = given(*h.a_created_server(), f.termination_requested(), f.server_deleted(), f.instance_started())
    assert not gone.server_on


def test_a_duplicate_that_is_deleted_leaves_the_server_on() -> None:
    assert given(*started(), f.server_deleted(server_id="a-duplicate")).server_on


def test_a_duplicate_server_does_not_change_the_price() -> None:
    second = f.instance_created(server_id="a-duplicate", hourly_price=9.0)
    assert given(*started(), second).hourly_price == 0.75
