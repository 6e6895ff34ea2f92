"""Trying again: how long is paused, what ends it, and that a cancellation is never taken for a failure."""

import asyncio

import pytest

from shared.retry import SpreadRetries, backoff_s, doubled_s, jittered_s, retried_for_ever, retrying

FIRST_S = 2.0
LONGEST_S = 60.0


@pytest.mark.parametrize(("failures", "whole_s"), [(1, 2.0), (2, 4.0), (5, 32.0), (6, 60.0), (10**6, 60.0)])
def test_a_pause_doubles_up_to_the_longest(failures: int, whole_s: float) -> None:
    assert doubled_s(failures, FIRST_S, LONGEST_S) == whole_s


@pytest.mark.parametrize("failures", [1, 2, 5, 10**6])
def test_up_to_half_of_a_back_off_is_random(failures: int) -> None:
    whole_s = doubled_s(failures, FIRST_S, LONGEST_S)
    pauses = {backoff_s(failures, FIRST_S, LONGEST_S) for _ in range(100)}
    assert all(whole_s / 2 <= pause <= whole_s for pause in pauses)
    assert len(pauses) > 1


def test_all_of_a_jittered_pause_is_random() -> None:
    pauses = {jittered_s(3, FIRST_S, LONGEST_S) for _ in range(100)}
    assert all(0 <= pause <= 8.0 for pause in pauses)
    assert min(pauses) < 4.0 < max(pauses)


def test_a_pause_is_never_shorter_than_what_was_asked_for_even_past_the_longest() -> None:
    assert {backoff_s(1, FIRST_S, LONGEST_S, 300.0) for _ in range(100)} == {300.0}


def test_a_pause_that_is_long_enough_anyway_is_not_prolonged() -> None:
    assert all(FIRST_S / 2 <= backoff_s(1, FIRST_S, LONGEST_S, 0.1) <= FIRST_S for _ in range(100))


def test_calls_that_fail_together_retry_one_after_the_other() -> None:
    spread = SpreadRetries(per_s=10.0, first=0.001, longest=1.0, clock=lambda: 100.0)
    pauses = [spread.pause_s(1) for _ in range(50)]
    assert pauses == pytest.approx([0.1 * number for number in range(1, 51)])


def test_a_call_that_fails_alone_pauses_as_usual() -> None:
    now = 100.0
    spread = SpreadRetries(per_s=1000.0, first=FIRST_S, longest=LONGEST_S, clock=lambda: now)
    pauses = []
    for _ in range(100):
        pauses.append(spread.pause_s(3))
        now += 1.0
    assert min(pauses) < 4.0 < max(pauses) <= 8.0


class Flaky:
    def __init__(self, *errors: Exception) -> None:
        self._errors = list(errors)

    async def __call__(self) -> str:
        if self._errors:
            raise self._errors.pop(0)
        return "done"


async def test_what_fails_is_tried_again_and_each_failure_is_told_with_its_pause() -> None:
    told: list[tuple[str, float]] = []

    def failed(error: BaseException, pause_s: float) -> None:
        told.append((str(error), pause_s))

    once = Flaky(ValueError("one"), KeyError("two"))
    pause_s = {1: 0.0, 2: 0.001}.__getitem__
    assert await retried_for_ever(once, ValueError, KeyError, pause_s=pause_s, failed=failed) == "done"
    assert told == [("one", 0.0), ("'two'", 0.001)]


async def test_another_error_is_raised_at_once() -> None:
    with pytest.raises(KeyError):
        await retrying(ValueError, pause_s=0.0)(Flaky(KeyError("other")))


async def test_past_its_time_the_last_error_is_raised() -> None:
    with pytest.raises(ValueError, match="one"):
        await retrying(ValueError, pause_s=0.0, for_s=0.0)(Flaky(ValueError("one")))


async def test_what_is_cancelled_is_not_tried_again_though_it_ends_with_another_error() -> None:
    began = asyncio.Event()
    tries = 0

    async def once() -> None:
        nonlocal tries
        tries += 1
        began.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            raise ValueError("the rollback failed, too") from None

    def failed(_: BaseException, __: float) -> None:
        raise AssertionError("it was tried again")

    task = asyncio.create_task(retried_for_ever(once, ValueError, pause_s=0.0, failed=failed))
    await began.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert tries == 1


async def test_what_returns_an_awaitable_is_awaited_in_the_loop_too() -> None:
    outcomes = [asyncio.Future[str](), asyncio.Future[str]()]
    outcomes[0].set_exception(ValueError())
    outcomes[1].set_result("done")
    waiting = iter(outcomes)
    assert await retried_for_ever(lambda: next(waiting), ValueError, pause_s=0.0, failed=lambda _, __: None) == "done"
