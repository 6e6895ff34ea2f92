"""The workers that a request was sent to: none of them gets it again."""

from collections.abc import Sequence
from typing import NamedTuple
from uuid import UUID

from services.api.router.table import Worker


class _Try(NamedTuple):
    worker: Worker
    sent: bool


class Tried:
    """A worker that could not be connected to has read nothing: it may get the request when it is ready anew."""

    __slots__ = ("_tries", "count", "last")

    def __init__(self) -> None:
        self._tries: dict[UUID, _Try] = {}
        self.count = 0
        self.last: Worker | None = None

    def add(self, worker: Worker) -> None:
        self.last = worker
        self._tries[worker.instance_id] = _Try(worker, sent=True)
        self.count += 1

    def not_sent(self, worker: Worker) -> None:
        """It could not be connected to."""
        self._tries[worker.instance_id] = _Try(worker, sent=False)

    @property
    def instance_ids(self) -> frozenset[UUID]:
        return frozenset(self._tries)

    def others(self, workers: Sequence[Worker]) -> Sequence[Worker]:
        """Those of them that may get the request."""
        return [worker for worker in workers if self._may_get(worker)] if self._tries else workers

    def has_returned(self, workers: Sequence[Worker]) -> bool:
        """Whether one of them that may have read the request was lost since, and is ready again."""
        return any(
            earlier.sent and earlier.worker != worker
            for worker in workers
            if (earlier := self._tries.get(worker.instance_id)) is not None
        )

    def _may_get(self, worker: Worker) -> bool:
        earlier = self._tries.get(worker.instance_id)
        return earlier is None or (not earlier.sent and earlier.worker != worker)
