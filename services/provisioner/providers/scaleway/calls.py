"""The SDK blocks, so its calls run in a bounded set of threads, each with one deadline for all its requests.

If a caller leaves (cancelled, or past its deadline), its thread sends no further request. A request that was already
sent may still take effect. The outcome is logged, and the resource is found again by its tags.
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
from prometheus_client import Counter, Histogram

from services.provisioner.provider import TIMED_OUT, OutOfStock, ProviderError, TryAgain
from services.provisioner.providers.scaleway.errors import lost

THREADS: Final = 32
PROVIDER: Final = "scaleway"
DONE: Final = "done"
SOLD_OUT: Final = "out_of_stock"
CANCELLED: Final = "cancelled"
UNEXPECTED: Final = "unexpected"

P = ParamSpec("P")
T = TypeVar("T")

log = structlog.get_logger()
_calls: Final = Counter(
    "coldstart_provider_calls_total",
    "Calls to a provider, one for each zone, by what came of them: done, or the code of what did not",
    ["provider", "call", "outcome"],
)
_seconds: Final = Histogram(
    "coldstart_provider_call_seconds", "Of a call to a provider, with all its requests", ["provider", "call"]
)


class Deadline:
    def __init__(self, seconds: float) -> None:
        self._at = time.monotonic() + seconds
        self._abandoned = False

    def abandon(self) -> None:
        self._abandoned = True

    def left_s(self) -> float:
        """Raises TryAgain if no request may be sent any more."""
        left = self._at - time.monotonic()
        if self._abandoned or left <= 0:
            raise TryAgain(TIMED_OUT, "the call took too long")
        return left


_current: contextvars.ContextVar[Deadline] = contextvars.ContextVar("deadline")


def time_left_s() -> float:
    """The time left for this thread's call. Raises TryAgain if there is none."""
    return _current.get().left_s()


class Calls:
    """`seconds` is the limit of one call, including the wait for a thread."""

    def __init__(self, seconds: float, threads: int = THREADS) -> None:
        self._seconds = seconds
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="scaleway")

    async def __call__(self, call: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Raises ProviderError."""
        began, outcome = time.monotonic(), CANCELLED
        try:
            answer = await self._in_a_thread(call.__name__, partial(call, *args, **kwargs))
            outcome = SOLD_OUT if isinstance(answer, OutOfStock) else DONE
        except ProviderError as error:
            outcome = error.code
            raise
        except Exception:
            outcome = UNEXPECTED
            raise
        else:
            return answer
        finally:
            name = call.__qualname__.lower()
            _calls.labels(PROVIDER, name, outcome).inc()
            _seconds.labels(PROVIDER, name).observe(time.monotonic() - began)

    async def _in_a_thread(self, name: str, call: Callable[[], T]) -> T:
        deadline = Deadline(self._seconds)
        work = partial(contextvars.copy_context().run, _within, deadline, call)
        future = asyncio.get_running_loop().run_in_executor(self._pool, work)
        try:
            async with asyncio.timeout(self._seconds):
                return await asyncio.shield(future)
        except (TimeoutError, asyncio.CancelledError) as left:
            deadline.abandon()
            future.add_done_callback(partial(_outlived, name))
            if isinstance(left, TimeoutError):
                raise TryAgain(TIMED_OUT, f"no answer within {self._seconds:g} s") from left
            raise

    async def in_each(
        self, zones: Sequence[str], call: Callable[Concatenate[str, P], list[T]], *args: P.args, **kwargs: P.kwargs
    ) -> list[T]:
        """Calls all zones at once and joins the results in order. Tries all, then raises the first ProviderError."""
        outcomes = await asyncio.gather(*(self(call, zone, *args, **kwargs) for zone in zones), return_exceptions=True)
        found: list[T] = []
        for outcome in outcomes:
            if isinstance(outcome, BaseException):
                raise outcome
            found += outcome
        return found

    async def close(self) -> None:
        """Returns once every thread has ended. Running calls finish; waiting calls are not started."""
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
