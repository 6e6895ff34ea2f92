"""The SDK blocks: its calls run in a bounded set of threads, each with one deadline for all that it asks the cloud.

A caller that leaves (cancelled, or past its deadline) leaves its thread without any further request; a request that
was already sent may still have its effect. What then comes of it is logged, and found again by its tags.
"""

import asyncio
import contextvars
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Concatenate, Final, ParamSpec, TypeVar

import requests
import structlog

from services.provisioner.provider import TryAgain
from services.provisioner.providers.scaleway.errors import lost

THREADS: Final = 32
TIMED_OUT: Final = "timed_out"

P = ParamSpec("P")
T = TypeVar("T")

log = structlog.get_logger()


class Deadline:
    def __init__(self, seconds: float) -> None:
        self._at = time.monotonic() + seconds
        self._abandoned = False

    def abandon(self) -> None:
        self._abandoned = True

    def left_s(self) -> float:
        """Raises TryAgain when nothing may be asked any more."""
        left = self._at - time.monotonic()
        if self._abandoned or left <= 0:
            raise TryAgain(TIMED_OUT, "the call took too long")
        return left


_current: contextvars.ContextVar[Deadline] = contextvars.ContextVar("deadline")


def time_left_s() -> float:
    """Of the call that this thread works for. Raises TryAgain when there is none."""
    return _current.get().left_s()


class Calls:
    """`seconds` is the whole time of one call, waiting for a thread included."""

    def __init__(self, seconds: float, threads: int = THREADS) -> None:
        self._seconds = seconds
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="scaleway")

    async def __call__(self, call: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Raises ProviderError."""
        deadline = Deadline(self._seconds)
        work = partial(contextvars.copy_context().run, _within, deadline, partial(call, *args, **kwargs))
        future = asyncio.get_running_loop().run_in_executor(self._pool, work)
        try:
            async with asyncio.timeout(self._seconds):
                return await asyncio.shield(future)
        except (TimeoutError, asyncio.CancelledError) as left:
            deadline.abandon()
            future.add_done_callback(partial(_outlived, call.__name__))
            if isinstance(left, TimeoutError):
                raise TryAgain(TIMED_OUT, f"no answer within {self._seconds:g} s") from left
            raise

    async def in_each(
        self, zones: Sequence[str], call: Callable[Concatenate[str, P], list[T]], *args: P.args, **kwargs: P.kwargs
    ) -> list[T]:
        """All zones at once, joined in order. Each is tried; raises the first ProviderError."""
        outcomes = await asyncio.gather(*(self(call, zone, *args, **kwargs) for zone in zones), return_exceptions=True)
        found: list[T] = []
        for outcome in outcomes:
            if isinstance(outcome, BaseException):
                raise outcome
            found += outcome
        return found

    async def close(self) -> None:
        """Returns once every thread has ended: what is under way is waited for, what waits is not begun."""
        await asyncio.to_thread(self._pool.shutdown, wait=True, cancel_futures=True)


def _within(deadline: Deadline, call: Callable[[], T]) -> T:
    _current.set(deadline)
    try:
        return call()
    except requests.RequestException as error:
        raise lost(error) from error


def _outlived(name: str, future: asyncio.Future[object]) -> None:
    if not future.cancelled():
        error = future.exception()
        log.warning("a call outlived its caller", call=name, outcome=repr(error or future.result()))
