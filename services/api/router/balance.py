"""Chooses the ready worker for a request: the least busy, or a session's own unless that is overloaded."""

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
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
        self._in_flight: dict[UUID, int] = {}
        self._chosen_at: dict[UUID, int] = {}
        self._choices = count()

    def in_flight(self, instance_id: UUID) -> int:
        return self._in_flight.get(instance_id, 0)

    @property
    def all_in_flight(self) -> Mapping[UUID, int]:
        """By instance, without those that have none."""
        return self._in_flight

    @property
    def total(self) -> int:
        return sum(self._in_flight.values())

    def choose(self, workers: Sequence[Worker], session: bytes | None) -> Worker:
        """Choose one of these workers, of which there must be at least one."""
        if session is None or len(workers) == 1:
            return min(workers, key=self._load)
        most = ceil(_BOUND * (sum(self.in_flight(worker.instance_id) for worker in workers) + 1) / len(workers))
        preferred = sorted(workers, key=lambda worker: _affinity(session, worker))
        return next(worker for worker in preferred if self.in_flight(worker.instance_id) < most)

    def busy(self, worker: Worker) -> AbstractContextManager[None]:
        """Count a request in flight while the block lasts."""
        return _Busy(self, worker.instance_id)

    def begun(self, instance_id: UUID) -> None:
        self._chosen_at[instance_id] = next(self._choices)
        self._in_flight[instance_id] = self._in_flight.get(instance_id, 0) + 1

    def ended(self, instance_id: UUID) -> None:
        left = self._in_flight[instance_id] - 1
        if left:
            self._in_flight[instance_id] = left
        else:
            del self._in_flight[instance_id]

    def forget(self, instance_id: UUID) -> None:
        """Stop counting for an instance that no longer serves."""
        self._chosen_at.pop(instance_id, None)

    def _load(self, worker: Worker) -> tuple[int, int]:
        """Sort key: fewest in flight, then longest unused."""
        instance_id = worker.instance_id
        return self._in_flight.get(instance_id, 0), self._chosen_at.get(instance_id, -1)


class _Busy(AbstractContextManager[None]):
    """A class, since @contextmanager would take five times as long."""

    __slots__ = ("_balance", "_instance_id")

    def __init__(self, balance: Balance, instance_id: UUID) -> None:
        self._balance = balance
        self._instance_id = instance_id

    def __enter__(self) -> None:
        self._balance.begun(self._instance_id)

    def __exit__(self, *_: object) -> None:
        self._balance.ended(self._instance_id)


def _affinity(session: bytes, worker: Worker) -> bytes:
    """Rendezvous hashing: when a worker comes or goes, only its own sessions move."""
    return blake2b(session + worker.instance_id.bytes, digest_size=8).digest()
