"""A circuit breaker for each worker: one that fails repeatedly, or is unwell, is set aside until it answers again."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import partial
from typing import Final
from uuid import UUID

import structlog

from services.api.router.table import Worker

log = structlog.get_logger()

Probe = Callable[[Worker], Awaitable[int | None]]
"""Asks a worker for its health. Returns the status of its answer, None without one."""
_HEALTHY: Final = 200
_DEAD: Final = 503
"""vLLM's `/health` when its engine is dead. For seconds after that its API still answers, with 500."""


class BreakerState(StrEnum):
    """`half_open`: it has answered the probe, but no request yet; its next failure sets it aside again."""

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half_open"


@dataclass(slots=True)
class _Breaker:
    """`dead`: its engine is dead. Requests that need no engine still succeed then, so only a probe readmits it."""

    worker: Worker
    failures: int = 0
    state: BreakerState = BreakerState.CLOSED
    dead: bool = False


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
        self._suspects: dict[UUID, Worker] = {}
        self._probes: asyncio.Queue[Callable[[], Coroutine[None, None, None]]] = asyncio.Queue()

    def state(self, worker: Worker) -> BreakerState:
        """The failures of an earlier attempt's worker do not count."""
        breaker = self._breakers.get(worker.instance_id)
        return breaker.state if breaker and breaker.worker == worker else BreakerState.CLOSED

    @property
    def open(self) -> int:
        return sum(breaker.state is BreakerState.OPEN for breaker in self._breakers.values())

    def is_dead(self, worker: Worker) -> bool:
        """Whether its health has said that its engine is dead, and not yet that it is well again."""
        breaker = self._breakers.get(worker.instance_id)
        return breaker is not None and breaker.worker == worker and breaker.dead

    def usable(self, workers: Sequence[Worker]) -> Sequence[Worker]:
        """The workers that are not set aside. If none is left, those whose engine is not dead: a try may succeed."""
        if not self._breakers:
            return workers
        in_use = [worker for worker in workers if self.state(worker) is not BreakerState.OPEN]
        return in_use or [worker for worker in workers if not self.is_dead(worker)]

    def succeeded(self, worker: Worker) -> None:
        if self._breakers and not ((breaker := self._breakers.get(worker.instance_id)) and breaker.dead):
            self._breakers.pop(worker.instance_id, None)

    def failed(self, worker: Worker) -> None:
        breaker = self._breaker(worker)
        breaker.failures += 1
        if breaker.failures >= self._most:
            self._open(breaker)

    def suspect(self, worker: Worker) -> None:
        """It has answered 500, or ended a stream with an error: ask for its health now, unless that is under way."""
        if self._suspects.get(worker.instance_id) != worker and self.state(worker) is not BreakerState.OPEN:
            self._suspects[worker.instance_id] = worker
            self._probes.put_nowait(partial(self._examine, worker))

    def forget(self, instance_id: UUID) -> None:
        """Forget an instance that no longer serves."""
        self._breakers.pop(instance_id, None)
        self._suspects.pop(instance_id, None)

    async def run(self) -> None:
        """Probe workers that are suspected or set aside, for ever; the owner cancels it."""
        async with asyncio.TaskGroup() as group:
            while True:
                probe = await self._probes.get()
                group.create_task(probe())

    def _breaker(self, worker: Worker) -> _Breaker:
        breaker = self._breakers.get(worker.instance_id)
        if breaker is None or breaker.worker != worker:  # of another attempt, or at another address
            breaker = self._breakers[worker.instance_id] = _Breaker(worker)
        return breaker

    def _open(self, breaker: _Breaker) -> None:
        if breaker.state is not BreakerState.OPEN:
            log.warning("worker set aside", instance_id=str(breaker.worker.instance_id), failures=breaker.failures)
            breaker.state = BreakerState.OPEN
            self._probes.put_nowait(partial(self._readmit, breaker))

    async def _examine(self, worker: Worker) -> None:
        status = await self._probe(worker)
        if self._suspects.get(worker.instance_id) != worker:
            return  # it was replaced meanwhile, or is gone
        del self._suspects[worker.instance_id]
        if status == _DEAD:
            breaker = self._breaker(worker)
            breaker.dead = True
            self._open(breaker)

    async def _readmit(self, breaker: _Breaker) -> None:
        pause_s = self._first_pause_s
        instance_id = breaker.worker.instance_id
        while True:
            await asyncio.sleep(pause_s)
            if self._breakers.get(instance_id) is not breaker:
                return  # it has succeeded meanwhile, was replaced, or is gone
            if await self._probe(breaker.worker) == _HEALTHY:
                log.info("worker readmitted", instance_id=str(instance_id))
                breaker.state, breaker.failures, breaker.dead = BreakerState.HALF_OPEN, self._most - 1, False
                return
            pause_s = min(2 * pause_s, self._longest_pause_s)
