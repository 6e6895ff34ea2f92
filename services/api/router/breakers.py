"""A circuit breaker for each worker: one that fails repeatedly is set aside, until it answers again."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final
from uuid import UUID

import structlog

from services.api.router.table import Worker

log = structlog.get_logger()

Probe = Callable[[Worker], Awaitable[bool]]
"""Returns whether the worker answers that it is healthy."""


class BreakerState(StrEnum):
    """`half_open`: it has answered the probe, but no request yet; its next failure sets it aside again."""

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half_open"


@dataclass(slots=True)
class _Breaker:
    worker: Worker
    failures: int = 0
    state: BreakerState = BreakerState.CLOSED


class Breakers:
    """Report only workers that serve now, not late answers of earlier ones.

    `failures` in a row open a breaker. Then it probes after `first_pause_s`, twice that, … `longest_pause_s`.
    """

    def __init__(self, probe: Probe, *, failures: int, first_pause_s: float, longest_pause_s: float) -> None:
        self._probe = probe
        self._most = failures
        self._first_pause_s: Final = first_pause_s
        self._longest_pause_s: Final = longest_pause_s
        self._breakers: dict[UUID, _Breaker] = {}
        self._opened: asyncio.Queue[_Breaker] = asyncio.Queue()

    def state(self, worker: Worker) -> BreakerState:
        """The failures of an earlier attempt's worker do not count."""
        breaker = self._breakers.get(worker.instance_id)
        return breaker.state if breaker and breaker.worker == worker else BreakerState.CLOSED

    @property
    def open(self) -> int:
        return sum(breaker.state is BreakerState.OPEN for breaker in self._breakers.values())

    def usable(self, workers: Sequence[Worker]) -> Sequence[Worker]:
        """The workers that are not set aside; all if none is left, since a try is better than a refusal."""
        if not self._breakers:
            return workers
        return [worker for worker in workers if self.state(worker) is not BreakerState.OPEN] or workers

    def succeeded(self, worker: Worker) -> None:
        if self._breakers:
            self._breakers.pop(worker.instance_id, None)

    def failed(self, worker: Worker) -> None:
        breaker = self._breakers.get(worker.instance_id)
        if breaker is None or breaker.worker != worker:  # of another attempt, or at another address
            breaker = self._breakers[worker.instance_id] = _Breaker(worker)
        breaker.failures += 1
        if breaker.state is not BreakerState.OPEN and breaker.failures >= self._most:
            log.warning("worker set aside", instance_id=str(worker.instance_id), failures=breaker.failures)
            breaker.state = BreakerState.OPEN
            self._opened.put_nowait(breaker)

    def forget(self, instance_id: UUID) -> None:
        """Forget an instance that no longer serves."""
        self._breakers.pop(instance_id, None)

    async def run(self) -> None:
        """Probe workers that were set aside, for ever; the owner cancels it."""
        async with asyncio.TaskGroup() as group:
            while True:
                group.create_task(self._readmit(await self._opened.get()))

    async def _readmit(self, breaker: _Breaker) -> None:
        pause_s = self._first_pause_s
        instance_id = breaker.worker.instance_id
        while True:
            await asyncio.sleep(pause_s)
            if self._breakers.get(instance_id) is not breaker:
                return  # it has succeeded meanwhile, was replaced, or is gone
            if await self._probe(breaker.worker):
                log.info("worker readmitted", instance_id=str(instance_id))
                breaker.state, breaker.failures = BreakerState.HALF_OPEN, self._most - 1
                return
            pause_s = min(2 * pause_s, self._longest_pause_s)
