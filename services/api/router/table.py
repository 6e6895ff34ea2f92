"""Which instances serve a model, as the stream told it last: a table in memory, fed by every event."""

import asyncio
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from uuid import UUID

from services.api.upstream import Address
from shared.lifecycle.instance import Instance
from shared.lifecycle.status import GONE, Status
from shared.secrets import Secrets


@dataclass(frozen=True, slots=True)
class Worker:
    """A ready instance: where its vLLM listens, and how we sign in to it in this attempt."""

    instance_id: UUID
    address: Address
    authorization: bytes


class RoutingTable:
    """Of what it is told of an instance the highest version counts, in whatever order it is told.

    `organization` is the caller's: another organisation's instances are as if they did not exist. `on_gone` is told of
    each instance that will never serve again.
    """

    def __init__(self, secrets: Secrets, worker_port: int, on_gone: Callable[[UUID], None]) -> None:
        self._secrets = secrets
        self._worker_port = worker_port
        self._on_gone = on_gone
        self._versions: dict[UUID, int] = {}
        self._instances: dict[str, dict[UUID, Instance]] = {}
        self._workers: dict[UUID, Worker] = {}
        self._changed: dict[str, asyncio.Event] = {}

    def replace(self, instances: Iterable[Instance]) -> None:
        """Forget everything and begin with these."""
        self._versions.clear()
        self._instances.clear()
        self._workers.clear()
        for instance in instances:
            self.apply(instance)

    def apply(self, instance: Instance) -> bool:
        """Take over what an event says of its instance; False when that was known already."""
        if instance.version <= self._versions.get(instance.id, 0):
            return False
        self._versions[instance.id] = instance.version
        model = instance.specification.model
        if instance.status in GONE:
            self._instances.get(model, {}).pop(instance.id, None)
            self._on_gone(instance.id)
        else:
            self._instances.setdefault(model, {})[instance.id] = instance
        if instance.status is Status.READY and instance.ip_address is not None:
            key = self._secrets.worker_api_key(instance.id, instance.attempt)
            address = Address(instance.ip_address, self._worker_port)
            self._workers[instance.id] = Worker(instance.id, address, b"Bearer " + key.encode())
        else:
            self._workers.pop(instance.id, None)
        if (changed := self._changed.pop(model, None)) is not None:
            changed.set()
        return True

    @property
    def known(self) -> list[UUID]:
        """Every instance that this has heard of, gone ones too until the read model knows that they are gone."""
        return list(self._versions)

    def reconcile(self, instances: Iterable[Instance], *, is_behind: bool) -> int:
        """Take over what the read model knows better; how many those were.

        What it is behind with changes nothing here. What it knows as gone needs no longer be remembered, if it
        `is_behind` what was heard, so that nothing older of it can be heard any more.
        """
        corrected = 0
        for instance in instances:
            corrected += self.apply(instance)
            if is_behind and instance.status in GONE:
                self._versions.pop(instance.id, None)
        return corrected

    def serving(self, model: str, organization: UUID | None) -> list[Instance]:
        """The instances of a model that the caller may know of, whatever their status, but for those gone."""
        return [
            instance
            for instance in self.serving_anyone(model)
            if instance.specification.organization_id in (None, organization)
        ]

    def serving_anyone(self, model: str) -> Collection[Instance]:
        """As `serving`, of whatever organisation."""
        return self._instances.get(model, {}).values()

    def workers(self, model: str, organization: UUID | None) -> list[Worker]:
        """Those that are ready for it."""
        return [
            worker
            for instance in self.serving(model, organization)
            if (worker := self._workers.get(instance.id)) is not None
        ]

    def worker(self, instance_id: UUID) -> Worker | None:
        """That of an instance, if it is ready."""
        return self._workers.get(instance_id)

    def next_change(self, model: str) -> asyncio.Event:
        """Set by the next event of an instance of that model."""
        return self._changed.setdefault(model, asyncio.Event())
