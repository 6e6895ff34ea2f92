"""The instances of each model, in memory, updated by every event."""

import asyncio
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from services.api.upstream import Address
from shared.lifecycle.instance import Instance
from shared.lifecycle.status import GONE, Status
from shared.secrets import Secrets
from shared.worker_tls import worker_tls


@dataclass(frozen=True, slots=True)
class Worker:
    """A ready instance: the address of its vLLM with our side of its TLS, our key for this attempt, and since when."""

    instance_id: UUID
    address: Address
    authorization: bytes = field(repr=False)
    since: datetime | None = None


class RoutingTable:
    """An instance's highest version counts, in whatever order versions arrive.

    `organization` is the caller's: other organisations' instances are treated as if they did not exist. `on_lost` is
    called with each instance that stops being ready.
    """

    def __init__(self, secrets: Secrets, worker_port: int, on_lost: Callable[[UUID], None]) -> None:
        self._secrets = secrets
        self._worker_port = worker_port
        self._on_lost = on_lost
        self._versions: dict[UUID, int] = {}
        self._instances: dict[str, dict[UUID, Instance]] = {}
        self._workers: dict[UUID, Worker] = {}
        self._deployments: dict[UUID, UUID] = {}
        self._changed: dict[str, asyncio.Event] = {}
        self._found: dict[tuple[str, UUID | None], list[Worker]] = {}
        """What `workers` has returned since the last event."""

    def replace(self, instances: Iterable[Instance]) -> None:
        """Forget everything and start with these."""
        self._versions.clear()
        self._instances.clear()
        self._workers.clear()
        self._deployments.clear()
        self._found.clear()
        for instance in instances:
            self.apply(instance)

    def apply(self, instance: Instance) -> bool:
        """Take over the instance from an event; False if it was known already."""
        if instance.version <= self._versions.get(instance.id, 0):
            return False
        self._versions[instance.id] = instance.version
        self._found.clear()
        model, replica = instance.specification.model, instance.specification.replica
        if instance.status in GONE or instance.specification.builds_image:  # which will never answer
            self._instances.get(model, {}).pop(instance.id, None)
            self._deployments.pop(instance.id, None)
        else:
            if replica is not None:
                self._deployments[instance.id] = replica.deployment_id
            self._instances.setdefault(model, {})[instance.id] = instance
        if instance.status is Status.READY and instance.ip_address is not None:
            key = self._secrets.worker_api_key(instance.id, instance.attempt)
            address = Address(instance.ip_address, self._worker_port, worker_tls(self._secrets, instance))
            authorization = b"Bearer " + key.encode()
            self._workers[instance.id] = Worker(instance.id, address, authorization, instance.status_since)
        elif self._workers.pop(instance.id, None) is not None:
            self._on_lost(instance.id)
        self.changed(model)
        return True

    @property
    def known(self) -> list[UUID]:
        """Every known instance, including gone ones until the read model knows that they are gone."""
        return list(self._versions)

    def reconcile(self, instances: Iterable[Instance], *, is_behind: bool) -> int:
        """Take over newer instances from the read model; returns how many.

        Older ones change nothing. Gone ones can be forgotten if the read model `is_behind` the events heard here, so
        that nothing older about them can still arrive.
        """
        corrected = 0
        for instance in instances:
            corrected += self.apply(instance)
            if is_behind and instance.status in GONE:
                self._versions.pop(instance.id, None)
        return corrected

    def serving(self, model: str, organization: UUID | None) -> list[Instance]:
        """The instances of a model that the caller may see, whatever their status, except gone ones."""
        return [
            instance
            for instance in self.serving_anyone(model)
            if instance.specification.organization_id in (None, organization)
        ]

    def serving_anyone(self, model: str) -> Collection[Instance]:
        """Like `serving`, of any organisation."""
        return self._instances.get(model, {}).values()

    def workers(self, model: str, organization: UUID | None) -> Sequence[Worker]:
        """The ready workers of a model."""
        found = self._found.get((model, organization))
        if found is None:
            found = self._found[model, organization] = self._find(model, organization)
        return found

    def _find(self, model: str, organization: UUID | None) -> list[Worker]:
        return [
            worker
            for instance in self.serving(model, organization)
            if (worker := self._workers.get(instance.id)) is not None
        ]

    @property
    def ready(self) -> list[Instance]:
        """The instances of all models that have a worker."""
        return [
            instance for each in self._instances.values() for instance in each.values() if instance.id in self._workers
        ]

    def max_model_len(self, model: str, organization: UUID | None) -> int | None:
        """The longest context that every instance takes, in tokens; None as long as no worker has told it."""
        lengths = (instance.max_model_len for instance in self.serving(model, organization))
        return min((length for length in lengths if length is not None), default=None)

    def worker(self, instance_id: UUID) -> Worker | None:
        """The worker of an instance, if it is ready."""
        return self._workers.get(instance_id)

    def deployment_of(self, instance_id: UUID) -> UUID | None:
        """The deployment whose replica this instance is."""
        return self._deployments.get(instance_id)

    def next_change(self, model: str) -> asyncio.Event:
        """Set by the next event of an instance of that model, or of a deployment."""
        return self._changed.setdefault(model, asyncio.Event())

    def changed(self, model: str) -> None:
        """Tell those that wait for a change."""
        if (changed := self._changed.pop(model, None)) is not None:
            changed.set()
