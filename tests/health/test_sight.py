"""Silence that proves nothing: this process was late, or most workers fell silent at once."""

import asyncio
from collections.abc import Callable
from uuid import uuid4

import pytest

from services.health.outage import Outage
from services.health.probes import Failed, Outcome, Probe, Refused, Target
from services.health.sight import Sight
from shared.lifecycle import events as e
from shared.lifecycle.status import Status
from shared.loop_lag import LoopLag
from tests.health.in_memory import here, hurried, watched

SILENT = Failed("no answer within 5 s", silent=True)


class Looks:
    """A prober that always answers the same, and calls `then` when it was asked `after` times."""

    def __init__(self, outcome: Outcome, *, after: int, then: Callable[[], None]) -> None:
        self.outcome, self.asked, self._after, self._then = outcome, 0, after, then

    async def probe(self, probe: Probe, _: Target) -> Outcome:
        if probe is Probe.HEALTH:
            self.asked += 1
            if self.asked == self._after:
                self._then()
        return self.outcome


class Late(LoopLag):
    """A loop that is always so many seconds late."""

    late_s = 0.0

    def since(self, began: float) -> float:
        del began
        return self.late_s


async def test_a_look_that_this_process_was_late_for_counts_for_nothing() -> None:
    pace, lag = hurried(), Late()
    lag.late_s = 3.0
    seen, recorded = list[int](), list[e.Event]()

    def in_time() -> None:
        seen.append(len(recorded))
        lag.late_s = 0.0

    prober = Looks(SILENT, after=50, then=in_time)
    await watched(here(Status.READY), prober, pace, Sight(pace, lag), recorded)
    assert seen == [0]
    assert [type(event) for event in recorded] == [e.HealthLost, e.InstanceFailed]


async def test_an_answer_counts_however_late_this_process_is() -> None:
    pace, lag = hurried(), Late()
    lag.late_s = 3.0
    refusing = Looks(Refused(), after=-1, then=lambda: None)
    journal = await watched(here(Status.READY), refusing, pace, Sight(pace, lag))
    assert journal.instance.status is Status.FAILED


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        (Status.READY, [e.HealthLost, e.InstanceFailed]),
        (Status.UNAVAILABLE, [e.InstanceFailed]),
        (Status.STARTING, [e.StartupFailed]),
    ],
)
async def test_nothing_is_lost_and_no_limit_ends_anything_while_most_are_silent_at_once(
    status: Status, expected: list[type[e.Event]]
) -> None:
    pace = hurried(outage_grace_seconds=0.0)
    sight, others = Sight(pace), [uuid4() for _ in range(4)]
    recorded, seen = list[e.Event](), list[int]()
    for other in others:
        sight.saw(other, Status.READY, silent=True)

    def over() -> None:
        seen.append(len(recorded))
        for other in others:
            sight.saw(other, Status.READY, silent=False)

    assert sight.in_doubt
    await watched(here(status), Looks(SILENT, after=100, then=over), pace, sight, recorded)
    assert seen == [0]
    assert [type(event) for event in recorded] == expected


async def test_a_worker_that_answers_badly_is_lost_even_then() -> None:
    pace = hurried()
    sight = Sight(pace)
    for _ in range(4):
        sight.saw(uuid4(), Status.READY, silent=True)
    journal = await watched(here(Status.READY), Looks(Refused(), after=-1, then=lambda: None), pace, sight)
    assert journal.instance.status is Status.FAILED


async def test_a_watch_that_ends_is_forgotten() -> None:
    pace = hurried()
    sight = Sight(pace)
    await watched(here(Status.READY), Looks(SILENT, after=-1, then=lambda: None), pace, sight)
    assert sight.outage == Outage(pace)


async def test_the_lag_is_the_loops_own() -> None:
    """The loop is held up, as by a call that takes too long or by a signal that stops the process."""
    lag = LoopLag()
    running = asyncio.create_task(lag.run())
    await asyncio.sleep(0)
    began = asyncio.get_running_loop().time()
    while asyncio.get_running_loop().time() < began + 0.3:
        pass
    assert lag.since(began) > 0.15
    await asyncio.sleep(0)
    assert lag.since(began) > 0.15
    running.cancel()
