"""Chooses the ready worker for a request: the least busy, or a session's own unless that is overloaded."""

from collections import Counter
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from hashlib import blake2b
from itertools import count
from math import ceil
from typing import Final
from uuid import UUID

from services.api.router.table import Worker

_BOUND: Final = 1.25
"""Average loads that a session's worker may have (consistent hashing with bounded loads, arXiv 1608.01350)."""


class Balance:
    """Counts requests in flight."""

    def __init__(self) -> None:
        self._in_flight: Counter[UUID] = Counter()
        self._chosen_at: dict[UUID, int] = {}
        self._choices = count()

    def in_flight(self, instance_id: UUID) -> int:
        return self._in_flight[instance_id]

    @property
    def total(self) -> int:
        return self._in_flight.total()

    def choose(self, workers: Sequence[Worker], session: bytes | None) -> Worker:
        """Choose one of these workers, of which there must be at least one."""
        if session is None or len(workers) == 1:
            return min(workers, key=self._load)
        most = ceil(_BOUND * (sum(self._in_flight[worker.instance_id] for worker in workers) + 1) / len(workers))
        preferred = sorted(workers, key=lambda worker: _affinity(session, worker))
        return next(worker for worker in preferred if self._in_flight[worker.instance_id] < most)

    @contextmanager
    def busy(self, worker: Worker) -> Generator[None]:
        """Count a request in flight while the block lasts."""
        instance_id = worker.instance_id
        self._chosen_at[instance_id] = next(self._choices)
        self._in_flight[instance_id] += 1
        try:
            yield
        finally:
            self._in_flight[instance_id] -= 1
            if not self._in_flight[instance_id]:
                del self._in_flight[instance_id]

    def forget(self, instance_id: UUID) -> None:
        """Stop counting for an instance that no longer serves."""
        self._chosen_at.pop(instance_id, None)

    def _load(self, worker: Worker) -> tuple[int, int]:
        """Sort key: fewest in flight, then longest unused."""
        return self._in_flight[worker.instance_id], self._chosen_at.get(worker.instance_id, -1)


def _affinity(session: bytes, worker: Worker) -> bytes:
    """Rendezvous hashing: when a worker comes or goes, only its own sessions move."""
    return blake2b(session + worker.instance_id.bytes, digest_size=8).digest()
