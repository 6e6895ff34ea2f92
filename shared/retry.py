"""Retries: the loop that continues until a call succeeds, and the pauses in between."""

import asyncio
import random
import time
from collections.abc import Awaitable, Callable
from typing import Final, TypeVar

from tenacity import AsyncRetrying, RetryCallState, retry_if_exception, stop_after_delay, stop_never

Result = TypeVar("Result")
_LARGEST_DOUBLING: Final = 20


def doubled_s(failures: int, first: float, longest: float) -> float:
    """The pause after this many failures in a row: `first` seconds after one, doubled after each further one."""
    return min(longest, first * 2.0 ** min(failures - 1, _LARGEST_DOUBLING))


def backoff_s(failures: int, first: float, longest: float, retry_after: float | None = None) -> float:
    """Like `doubled_s`, up to half of it random, and never shorter than the other side asks (`retry_after`)."""
    pause = doubled_s(failures, first, longest)
    return max(pause * random.uniform(0.5, 1.0), retry_after or 0.0)  # noqa: S311  only spreads load


def jittered_s(failures: int, first: float, longest: float) -> float:
    """Like `doubled_s`, all of it random: for many callers that collide with each other."""
    return random.uniform(0.0, doubled_s(failures, first, longest))  # noqa: S311  only spreads load


class SpreadRetries:
    """Pauses for calls of which many may fail at the same time: together they retry at most `per_s` times a second.

    Each pause ends in a time slot of its own, and is no shorter than `jittered_s` says.
    """

    def __init__(
        self, *, per_s: float, first: float, longest: float, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._slot_s, self._first, self._longest, self._clock = 1 / per_s, first, longest, clock
        self._taken_until = 0.0

    def pause_s(self, failures: int) -> float:
        """The pause after a call's so many failures in a row, in seconds."""
        now = self._clock()
        self._taken_until = max(self._taken_until, now) + self._slot_s
        return max(jittered_s(failures, self._first, self._longest), self._taken_until - now)


def _ignore(_: BaseException, __: float) -> None:
    pass


def retrying(
    *errors: type[Exception],
    pause_s: float | Callable[[int], float],
    for_s: float | None = None,
    failed: Callable[[BaseException, float], None] = _ignore,
    unless: tuple[type[Exception], ...] = (),
) -> AsyncRetrying:
    """Attempts to iterate over, until one raises none of these errors, or one of `unless`.

    `pause_s`: seconds before the next try, or a function to them from the number of failures so far.
    `for_s`: seconds after which the last error is raised; None is for ever.
    `failed` is called with each error that is retried, and the pause after it.
    A cancelled call is not retried, whatever error its cancellation ended with.
    """

    def again(error: BaseException) -> bool:
        if not isinstance(error, errors) or isinstance(error, unless):
            return False
        task = asyncio.current_task()
        if task is not None and task.cancelling():
            raise asyncio.CancelledError from error
        return True

    def tell(state: RetryCallState) -> None:
        error = state.outcome.exception() if state.outcome else None
        if error is not None:
            failed(error, state.upcoming_sleep)

    return AsyncRetrying(
        retry=retry_if_exception(again),
        stop=stop_never if for_s is None else stop_after_delay(for_s),
        wait=lambda state: pause_s(state.attempt_number) if callable(pause_s) else pause_s,
        before_sleep=tell,
        reraise=True,
    )


async def retried_for_ever(
    once: Callable[[], Awaitable[Result]],
    *errors: type[Exception],
    pause_s: float | Callable[[int], float],
    failed: Callable[[BaseException, float], None],
) -> Result:
    """What `once` returns when it raises none of these errors. The other parameters are those of `retrying`."""

    async def awaited() -> Result:  # tenacity awaits only what was defined by `async def`
        return await once()

    result: Result = await retrying(*errors, pause_s=pause_s, failed=failed)(awaited)
    return result
