"""Samples of the event loop's lag, at given times."""

import pytest

from shared.loop_lag import LoopLag


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def sampled(clock: Clock, *late_s: float) -> LoopLag:
    """One sample a second, each so late."""
    lag = LoopLag(clock)
    for late in late_s:
        lag.expect(1.0)
        clock.now += 1.0 + late
        lag.sample()
    return lag


def test_the_largest_since_then_counts() -> None:
    clock = Clock()
    lag = sampled(clock, 5.0, 0.0, 2.0, 0.0)
    assert lag.since(clock.now - 0.5) == 0.0
    assert lag.since(clock.now - 4.0) == pytest.approx(2.0)
    assert lag.since(0.0) == pytest.approx(5.0)


def test_one_that_still_lasts_counts() -> None:
    clock = Clock()
    lag = sampled(clock, 0.0)
    lag.expect(1.0)
    clock.now += 4.0
    assert lag.since(clock.now) == pytest.approx(3.0)


def test_a_loop_that_is_in_time_has_none() -> None:
    clock = Clock()
    lag = sampled(clock, 0.0, 0.0)
    assert lag.since(0.0) == 0.0
