"""A day of requests, played against policies."""

import pytest

from shared.deployments.backtest import CAPACITY, HOLD_S, play
from shared.deployments.load import SLOT_S
from shared.deployments.policies import Coldstart, Knative, Oracle, fixed, lead_of
from shared.deployments.traces import DAY_S, PAST_DAYS, Arrival, Trace, recorded

NOON = 43_200
LAUNCH_S = 300.0


def steady(*, begin: float = NOON, seconds: int = 3600, per_s: int = 2, runs_s: float = 10.0) -> Trace:
    """So many requests a second for so long, at the same time on each day before, too."""
    arrivals = [Arrival(begin + number / per_s, runs_s) for number in range(seconds * per_s)]
    slots = range(int(DAY_S / SLOT_S))
    day = [per_s * runs_s if begin <= slot * SLOT_S < begin + seconds else 0.0 for slot in slots]
    return Trace("steady", arrivals, day * PAST_DAYS)


def test_a_request_waits_for_the_machine_that_it_wakes() -> None:
    trace = Trace("one", [Arrival(NOON, 10.0)], [])
    outcome = play(trace, "coldstart", Coldstart(trace, lead_of([LAUNCH_S])), [LAUNCH_S], seed=1)
    assert (outcome.waited, outcome.refused) == (1, 0)
    assert LAUNCH_S <= outcome.p95_s <= LAUNCH_S + 4


def test_what_waits_for_longer_than_its_hold_is_refused() -> None:
    outcome = play(steady(), "fixed", fixed(0), [LAUNCH_S], seed=1)
    assert (outcome.refused, outcome.p50_s, outcome.gpu_hours) == (7200, HOLD_S, 0.0)


def test_a_fixed_number_is_paid_for_all_day() -> None:
    outcome = play(steady(), "fixed", fixed(2), [LAUNCH_S], seed=1, begin=2)
    assert (outcome.gpu_hours, outcome.waited) == (48.0, 0)


def test_what_comes_every_day_finds_its_machines_ready() -> None:
    trace = steady()
    ours = play(trace, "coldstart", Coldstart(trace, lead_of([LAUNCH_S])), [LAUNCH_S], seed=1)
    reactive = play(trace, "knative", Knative(), [LAUNCH_S], seed=1)
    assert (ours.waited, reactive.waited > 0) == (0, True)
    assert ours.gpu_hours < 4


def test_an_oracle_has_what_is_needed_ready_in_time() -> None:
    outcome = play(steady(), "oracle", Oracle(steady(), LAUNCH_S, 1.0), [LAUNCH_S], seed=1)
    assert outcome.waited == 0
    assert outcome.gpu_hours == pytest.approx(2 * (1 + LAUNCH_S / 3600), rel=0.1), f"20 at once, {CAPACITY} each"


def test_the_last_day_of_recorded_arrivals_is_played_and_the_days_before_are_its_past() -> None:
    day = 86_400
    trace = recorded([[str(second), "30"] for second in (0, 310, day, 2 * day)])
    assert [arrival.at_s for arrival in trace.arrivals] == [0, day]
    assert (len(trace.past), list(trace.past[:3])) == (day / SLOT_S, [0.1, 0.1, 0.0])


@pytest.mark.parametrize("rows", [[], [["soon", "1"]], [["1", "long"]]])
def test_arrivals_that_are_none_are_refused(rows: list[list[str]]) -> None:
    with pytest.raises(ValueError, match=r"no arrivals|could not convert"):
        recorded(rows)
