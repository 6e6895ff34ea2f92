"""Reads again what events may have missed: never many at once, and seldom while the stream fails."""

import asyncio
import random
from collections.abc import Awaitable, Callable
from typing import Final, TypeVar

import structlog
from prometheus_client import Counter

from shared.journal.errors import JournalUnavailable
from shared.retry import backoff_s

_FIRST_PAUSE_S: Final = 0.5
_LONGEST_PAUSE_S: Final = 15.0

_reloads: Final = Counter("coldstart_reloads_total", "Instances and deployments read again, by outcome", ["outcome"])

log = structlog.get_logger()

State = TypeVar("State")


class Reloads:
    """Those of one process, `at_once` at most. After a failure, nothing is asked for a while, which grows."""

    def __init__(self, every_s: float, at_once: int) -> None:
        self._every_s = every_s
        self._slots = asyncio.Semaphore(at_once)
        self._failures = 0
        self._not_before = 0.0

    def next_at(self) -> float:
        """When what was read now is due again; spread, so that what was read together does not stay so."""
        return _now() + self._every_s * random.uniform(0.5, 1.0)  # noqa: S311  only spreads load

    async def read(self, load: Callable[[], Awaitable[State]]) -> State | None:
        """What `load` returns; None if the stream gives no answer, or gave none to others a moment ago."""
        async with self._slots:
            if _now() < self._not_before:
                _reloads.labels("left out").inc()
                return None
            try:
                state = await load()
            except JournalUnavailable as error:
                self._failed(error)
                return None
            self._failures = 0
            _reloads.labels("read").inc()
            return state

    def _failed(self, error: JournalUnavailable) -> None:
        """Those that were asked together fail together, which counts once."""
        _reloads.labels("failed").inc()
        if _now() < self._not_before:
            return
        self._failures += 1
        pause_s = backoff_s(self._failures, _FIRST_PAUSE_S, _LONGEST_PAUSE_S)
        self._not_before = _now() + pause_s
        log.warning("not reloaded", reason=str(error), retry_in_s=round(pause_s, 1))


def _now() -> float:
    return asyncio.get_running_loop().time()
