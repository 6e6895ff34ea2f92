"""Services on machines with wrong clocks: an instance's times never run backwards, and its cost is by one clock."""

from datetime import datetime, timedelta
from itertools import pairwise
from typing import Final

from hypothesis import given as for_any
from hypothesis import strategies as st

from shared.clock import TOLERATED_S, Clock
from shared.lifecycle.cost import cost
from shared.lifecycle.events import Event
from shared.lifecycle.fact import not_before
from shared.lifecycle.instance import Instance
from tests.lifecycle import facts as f
from tests.lifecycle.arbitrary import histories, law
from tests.lifecycle.facts import Facts

SERVICES: Final = 4
_errors = st.lists(st.floats(-900, 900), min_size=SERVICES, max_size=SERVICES)
_steps = st.lists(st.tuples(st.integers(0, SERVICES - 1), st.floats(0, 300)), min_size=60, max_size=60)


class Machine:
    """Its clock is wrong by so many seconds; the other one began at any time."""

    def __init__(self, error_s: float, *, asks: bool) -> None:
        self.at = f.AT
        self._error = timedelta(seconds=error_s)
        self.clock = Clock(lambda: self.at + self._error, lambda: (self.at - f.AT).total_seconds() + 1234.5)
        if asks:
            self.clock.learn(self.at, self.clock.begin())

    def now(self, at: datetime) -> datetime:
        self.at = at
        return self.clock.now()


def lived(
    history: Facts, errors: list[float], steps: list[tuple[int, float]], *, asks: bool
) -> tuple[list[Event], Instance, Instance]:
    """The facts as they are recorded, the instance after them, and the instance as one right clock has it."""
    machines, at = [Machine(error, asks=asks) for error in errors], f.AT
    recorded, right = list[Event](), list[Event]()
    for fact, (service, pause_s) in zip(history, steps, strict=False):
        at += timedelta(seconds=pause_s)
        seen = fact.model_copy(update={"occurred_at": machines[service].now(at)})
        recorded.append(not_before(seen, recorded[-1].occurred_at) if recorded else seen)
        right.append(fact.model_copy(update={"occurred_at": at}))
    return recorded, f.given(*recorded), f.given(*right)


@law
@for_any(histories(), _errors, _steps, st.booleans())
def test_times_never_run_backwards_and_a_cost_is_never_negative(
    history: Facts, errors: list[float], steps: list[tuple[int, float]], asks: bool
) -> None:
    recorded, instance, _ = lived(history, errors, steps, asks=asks)
    assert all(earlier.occurred_at <= later.occurred_at for earlier, later in pairwise(recorded))
    assert instance.updated_at == recorded[-1].occurred_at
    assert all(period.until is None or period.until >= period.since for period in instance.powered)
    assert (cost(instance, instance.updated_at) or 0.0) >= 0.0


@law
@for_any(histories(), _errors, _steps)
def test_the_cost_is_the_one_that_a_single_right_clock_gives(
    history: Facts, errors: list[float], steps: list[tuple[int, float]]
) -> None:
    _, instance, right = lived(history, errors, steps, asks=True)
    ours, theirs = cost(instance, right.updated_at), cost(right, right.updated_at)
    assert (ours is None) == (theirs is None)
    if ours is not None and theirs is not None and right.hourly_price is not None:
        tolerated = right.hourly_price * 2 * TOLERATED_S * max(1, len(right.powered)) / 3600
        assert abs(ours - theirs) <= tolerated + 1e-6
