"""A circuit breaker for each worker: one that fails repeatedly, or is unwell, is set aside until it answers again."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from enum import StrEnum
from functools import partial
from typing import Final
from uuid import UUID

import structlog

from services.api.records.records import OwnRecords, Record, Records, named
from services.api.router.table import Worker

log = structlog.get_logger()

Probe = Callable[[Worker], Awaitable[int | None]]
"""Asks a worker for its health. Returns the status of its answer, None without one."""
_HEALTHY: Final = 200
_DEAD_STATUS: Final = 503
"""vLLM's `/health` when its engine is dead. For seconds after that its API still answers, with 500."""


class BreakerState(StrEnum):
    """`half_open`: it has answered the probe, but no request yet; its next failure sets it aside again."""

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half_open"


_STATES: Final = (BreakerState.CLOSED, BreakerState.OPEN, BreakerState.HALF_OPEN)
_CLOSED, _OPEN, _HALF_OPEN = range(len(_STATES))
_MARKED, _FAILURES, _STATE, _DEAD, _OPENED = range(5)
"""The fields of a worker's record: whether anything is known against it, its failures in a row, its state, whether its
engine is dead (requests that need no engine still succeed then, so only a probe readmits it), and how often it was set
aside."""
_ALL: Final = named(b"breakers")
"""The record whose first field counts the workers that are marked."""


class Breakers:
    """Report only workers that serve now, not late answers of earlier ones.

    `failures` in a row open a breaker. Then it probes after `first_pause_s`, twice that, … `longest_pause_s`. Processes
    that share `records` share breakers: each probes the workers that it has found set aside. The first answer counts.
    """

    def __init__(
        self,
        probe: Probe,
        *,
        failures: int,
        first_pause_s: float,
        longest_pause_s: float,
        records: Records | None = None,
    ) -> None:
        self._probe = probe
        self._most = failures
        self._first_pause_s: Final = first_pause_s
        self._longest_pause_s: Final = longest_pause_s
        self._records = records or OwnRecords()
        self._known: dict[UUID, Worker] = {}
        self._readmitting: dict[UUID, tuple[Worker, float]] = {}
        """Maps an instance to its worker that is probed until it answers, and the opening since which it is."""
        self._suspects: dict[UUID, Worker] = {}
        self._probes: asyncio.Queue[Callable[[], Coroutine[None, None, None]]] = asyncio.Queue()

    def state(self, worker: Worker) -> BreakerState:
        """The failures of an earlier attempt's worker do not count."""
        return BreakerState.CLOSED if self._all_clear else _STATES[int(self._record(worker)[_STATE])]

    @property
    def open(self) -> int:
        return sum(self.state(worker) is BreakerState.OPEN for worker in self._known.values())

    def is_dead(self, worker: Worker) -> bool:
        """Whether its health has said that its engine is dead, and not yet that it is well again."""
        return not self._all_clear and bool(self._record(worker)[_DEAD])

    def usable(self, workers: Sequence[Worker]) -> Sequence[Worker]:
        """The workers that are not set aside. If none is left, those whose engine is not dead: a try may succeed."""
        if self._all_clear:
            return workers
        in_use = [worker for worker in workers if not self._is_set_aside(worker)]
        return in_use or [worker for worker in workers if not self.is_dead(worker)]

    def succeeded(self, worker: Worker) -> None:
        if self._all_clear:
            return
        with self._records:
            record = self._record(worker)
            if not record[_DEAD]:
                self._clear(record)

    def failed(self, worker: Worker) -> None:
        with self._records:
            record = self._marked(worker)
            record[_FAILURES] += 1
            if record[_FAILURES] >= self._most:
                self._open(worker, record)

    def suspect(self, worker: Worker) -> None:
        """It has answered 500, or ended a stream with an error: ask for its health now, unless that is under way."""
        if self._suspects.get(worker.instance_id) != worker and self.state(worker) is not BreakerState.OPEN:
            self._suspects[worker.instance_id] = worker
            self._probes.put_nowait(partial(self._examine, worker))

    async def is_well(self, worker: Worker) -> bool:
        """Ask it for its health."""
        return await self._probe(worker) == _HEALTHY

    def forget(self, instance_id: UUID) -> None:
        """Forget an instance that no longer serves."""
        worker = self._known.pop(instance_id, None)
        if worker is not None:
            with self._records:
                self._clear(self._record(worker))
        self._suspects.pop(instance_id, None)

    async def run(self) -> None:
        """Probe workers that are suspected or set aside, for ever; the owner cancels it."""
        async with asyncio.TaskGroup() as group:
            while True:
                probe = await self._probes.get()
                group.create_task(probe())

    @property
    def _all_clear(self) -> bool:
        return self._records.of(_ALL)[_MARKED] == 0

    def _record(self, worker: Worker) -> Record:
        address = f"{worker.address.host}:{worker.address.port}".encode()
        return self._records.of(named(worker.instance_id.bytes, address, worker.authorization))

    def _marked(self, worker: Worker) -> Record:
        """Its record, in which there is going to be something against it."""
        former = self._known.get(worker.instance_id)
        if former is not None and former != worker:  # of another attempt, or at another address
            self._clear(self._record(former))
        self._known[worker.instance_id] = worker
        record = self._record(worker)
        if not record[_MARKED]:
            record[_MARKED] = 1
            self._records.of(_ALL)[_MARKED] += 1
        return record

    def _clear(self, record: Record) -> None:
        if record[_MARKED]:
            record[_MARKED] = record[_FAILURES] = record[_STATE] = record[_DEAD] = 0
            self._records.of(_ALL)[_MARKED] -= 1

    def _is_set_aside(self, worker: Worker) -> bool:
        """Another process may have set it aside. This one probes it, too, for the other may end."""
        record = self._record(worker)
        if record[_STATE] != _OPEN:
            return False
        self._probe_until_readmitted(worker, record)
        return True

    def _open(self, worker: Worker, record: Record) -> None:
        if record[_STATE] != _OPEN:
            log.warning("worker set aside", instance_id=str(worker.instance_id), failures=int(record[_FAILURES]))
            record[_STATE] = _OPEN
            record[_OPENED] += 1
            self._probe_until_readmitted(worker, record)

    def _probe_until_readmitted(self, worker: Worker, record: Record) -> None:
        probed = (worker, record[_OPENED])
        if self._readmitting.get(worker.instance_id) != probed:
            self._known[worker.instance_id] = worker
            self._readmitting[worker.instance_id] = probed
            self._probes.put_nowait(partial(self._readmit, *probed))

    async def _examine(self, worker: Worker) -> None:
        status = await self._probe(worker)
        if self._suspects.get(worker.instance_id) != worker:
            return  # it was replaced meanwhile, or is gone
        del self._suspects[worker.instance_id]
        if status == _DEAD_STATUS:
            with self._records:
                record = self._marked(worker)
                record[_DEAD] = 1
                self._open(worker, record)

    async def _readmit(self, worker: Worker, opened: float) -> None:
        pause_s = self._first_pause_s
        instance_id = worker.instance_id
        while True:
            await asyncio.sleep(pause_s)
            if not self._is_still_open(worker, opened):
                break  # it has succeeded meanwhile, was replaced, or is gone
            if await self._probe(worker) == _HEALTHY:
                with self._records:
                    if self._is_still_open(worker, opened):
                        log.info("worker readmitted", instance_id=str(instance_id))
                        record = self._record(worker)
                        record[_STATE], record[_FAILURES], record[_DEAD] = _HALF_OPEN, self._most - 1, 0
                break
            pause_s = min(2 * pause_s, self._longest_pause_s)
        if self._readmitting.get(instance_id) == (worker, opened):
            del self._readmitting[instance_id]

    def _is_still_open(self, worker: Worker, opened: float) -> bool:
        record = self._record(worker)
        return record[_STATE] == _OPEN and record[_OPENED] == opened
