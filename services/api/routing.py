"""Which worker answers for a model: a table in memory, fed by the events of the stream."""

from collections import Counter
from collections.abc import Generator, Iterable
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from typing import Final
from uuid import UUID

from services.api.catalogue import Model
from shared.lifecycle.instance import Instance
from shared.lifecycle.status import ENDING, GONE, Status
from shared.secrets import Secrets


@dataclass(frozen=True)
class Worker:
    """A ready instance: where its vLLM listens, and the key it asks for in this attempt."""

    instance_id: UUID
    url: str
    api_key: str


class RoutingTable:
    """Only shared instances (owned by no organisation) are in it. `worker_port` is the same on every machine."""

    def __init__(self, secrets: Secrets, worker_port: int) -> None:
        self._secrets = secrets
        self._worker_port = worker_port
        self._instances: dict[str, dict[UUID, Instance]] = {}
        self._workers: dict[UUID, Worker] = {}
        self._in_flight: Counter[UUID] = Counter()
        self._chosen_at: dict[UUID, int] = {}
        self._choices = count()

    def replace(self, instances: Iterable[Instance]) -> None:
        """Forget everything and begin with these."""
        self._instances.clear()
        self._workers.clear()
        for instance in instances:
            self.apply(instance)

    def apply(self, instance: Instance) -> None:
        """Take over what an event says of its instance; events come in the order of the stream."""
        specification = instance.specification
        if specification.organization_id is not None:
            return
        serving = self._instances.setdefault(specification.model, {})
        if instance.status in GONE:
            serving.pop(instance.id, None)
            self._workers.pop(instance.id, None)
            self._chosen_at.pop(instance.id, None)
            return
        serving[instance.id] = instance
        if instance.status is Status.READY and instance.ip_address is not None:
            key = self._secrets.worker_api_key(instance.id, instance.attempt)
            self._workers[instance.id] = Worker(
                instance.id, f"http://{_host(instance.ip_address)}:{self._worker_port}", key
            )
        else:
            self._workers.pop(instance.id, None)

    def workers(self, model: Model) -> list[Worker]:
        """Those ready to serve it, the least busy first; among equals, the one whose turn is longest ago."""
        ready = (self._workers.get(instance_id) for instance_id in self._instances.get(model.model, {}))
        return sorted(
            (worker for worker in ready if worker is not None),
            key=lambda worker: (self._in_flight[worker.instance_id], self._chosen_at.get(worker.instance_id, -1)),
        )

    def nearest(self, model: Model) -> Instance | None:
        """The instance of a model that is the likeliest to be ready next."""
        return max(
            self._instances.get(model.model, {}).values(),
            key=lambda instance: (instance.status not in ENDING, instance.progress_percent, instance.created_at),
            default=None,
        )

    @contextmanager
    def busy(self, worker: Worker) -> Generator[None]:
        """Count a request in flight for as long as the block lasts."""
        self._chosen_at[worker.instance_id] = next(self._choices)
        self._in_flight[worker.instance_id] += 1
        try:
            yield
        finally:
            self._in_flight[worker.instance_id] -= 1
            if not self._in_flight[worker.instance_id]:
                del self._in_flight[worker.instance_id]


_IPV6_MARK: Final = ":"


def _host(address: str) -> str:
    return f"[{address}]" if _IPV6_MARK in address else address
