"""What a holder knows of its deployment and of its replicas' instances: by events, and by reading again at times."""

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from shared.bus.reloads import Reloads
from shared.bus.updates import Updates
from shared.deployments.deployment import Deployment
from shared.journal.deployments import DeploymentJournal
from shared.journal.journal import Journal
from shared.lifecycle.errors import InstanceUnknown
from shared.lifecycle.instance import Instance

_AGAIN_S: Final = 1.0
"""When to ask again for what could not be read, and is not known from before."""


@dataclass(frozen=True)
class Sources:
    """Where all views of a process get what they know."""

    journal: Journal
    deployments: DeploymentJournal
    deployment_updates: Updates[Deployment]
    instance_updates: Updates[Instance]
    deployment_reloads: Reloads
    instance_reloads: Reloads


class View:
    """`changed` is called when an event has brought something that a decision may depend on."""

    def __init__(self, sources: Sources, deployment: Deployment, changed: Callable[[], None]) -> None:
        self.deployment = deployment
        self.instances: dict[UUID, Instance] = {}
        """Those of the deployment's replicas that exist."""
        self._sources = sources
        self._changed = changed
        self._reload_at = 0.0
        self._reload_instances_at = 0.0
        self._unread: set[UUID] = set()
        """Instances of replicas that may exist, and were not read yet."""
        self._followed: set[UUID] = set()

    @property
    def is_known(self) -> bool:
        """Whether each replica's instance was read, or is known not to exist.

        One that the stream could not be asked for may be running: to take it for absent would forget or end it.
        """
        return self._unread <= self.instances.keys()

    @property
    def due_in_s(self) -> float:
        """When something is to be read again."""
        due_in_s = min(self._reload_at, self._reload_instances_at) - _now()
        return due_in_s if self.is_known else min(due_in_s, _AGAIN_S)

    def open(self) -> None:
        self._sources.deployment_updates.subscribe(self.deployment.id, self._deployment_updated)
        self._follow_replicas()

    def close(self) -> None:
        self._sources.deployment_updates.unsubscribe(self.deployment.id, self._deployment_updated)
        for instance_id in self._followed:
            self._sources.instance_updates.unsubscribe(instance_id, self._instance_updated)

    def know(self, deployment: Deployment) -> None:
        """A lagging replica may answer with an older version than one seen before."""
        if deployment.version > self.deployment.version:
            self.deployment = deployment
            self._follow_replicas()

    def know_instance(self, instance: Instance) -> None:
        known = self.instances.get(instance.id)
        if instance.id in self._followed and (known is None or known.version < instance.version):
            self.instances[instance.id] = instance

    def may_exist(self, instance_id: UUID) -> None:
        """Read it soon."""
        if instance_id in self._followed and instance_id not in self.instances:
            self._unread.add(instance_id)

    def is_old(self) -> None:
        """Read the deployment soon."""
        self._reload_at = 0.0

    async def refresh(self) -> None:
        """Read what is due. Without an answer, what is known stays, and is read later."""
        if self._reload_at <= _now():
            self._reload_at = self._sources.deployment_reloads.next_at()
            await self._reload()
        if self._reload_instances_at <= _now():
            self._reload_instances_at = self._sources.instance_reloads.next_at()
            self._unread |= self._followed
        await self._read_instances(self._unread, from_leader=False)
        absent = self._absent_and_leaving()
        self._unread |= absent
        await self._read_instances(absent, from_leader=True)

    async def read_new(self) -> None:
        """Read the instances of replicas of which nothing is known yet."""
        await self._read_instances(self._unread, from_leader=False)

    async def _reload(self) -> None:
        of = self.deployment
        deployment = await self._sources.deployment_reloads.read(
            lambda: self._sources.deployments.load(of.id, at_least=of.version)
        )
        if deployment is not None:
            self.know(deployment)

    async def _read_instances(self, ids: Iterable[UUID], *, from_leader: bool) -> None:
        async with asyncio.TaskGroup() as group:
            for instance_id in tuple(ids):
                group.create_task(self._read_instance(instance_id, from_leader=from_leader))

    async def _read_instance(self, instance_id: UUID, *, from_leader: bool) -> None:
        async def load() -> Instance | None:
            known = self.instances.get(instance_id)
            try:
                return await self._sources.journal.load(
                    instance_id, at_least=known.version if known else 0, from_leader=from_leader
                )
            except InstanceUnknown:
                self._unread.discard(instance_id)
                return None

        instance = await self._sources.instance_reloads.read(load)
        if instance is not None:
            self._unread.discard(instance_id)
            self.know_instance(instance)

    def _deployment_updated(self, deployment: Deployment | None) -> None:
        """None: events may have been missed."""
        if deployment is None:
            self._reload_at = self._reload_instances_at = 0.0
        elif deployment.version <= self.deployment.version:
            return
        else:
            self.know(deployment)
        self._changed()

    def _instance_updated(self, instance: Instance | None) -> None:
        """What was missed is read again because the deployment's events may have been missed, too."""
        if instance is None:
            return
        before = self.instances.get(instance.id)
        self.know_instance(instance)
        if before is None or _differs(before, instance):
            self._changed()

    def _follow_replicas(self) -> None:
        wanted = {each.instance_id for each in self.deployment.replicas}
        for instance_id in wanted - self._followed:
            self._sources.instance_updates.subscribe(instance_id, self._instance_updated)
            self._unread.add(instance_id)
        for instance_id in self._followed - wanted:
            self._sources.instance_updates.unsubscribe(instance_id, self._instance_updated)
            self._unread.discard(instance_id)
            self.instances.pop(instance_id, None)
        self._followed = wanted

    def _absent_and_leaving(self) -> set[UUID]:
        """They are forgotten if they do not exist, so no replica that lags is asked."""
        return {each.instance_id for each in self.deployment.replicas if each.leaving} - self.instances.keys()


def _differs(before: Instance, after: Instance) -> bool:
    """Whether a decision may depend on it; a launch has dozens of events that only move its progress."""
    return (before.status, before.status_since, before.resources) != (after.status, after.status_since, after.resources)


def _now() -> float:
    return asyncio.get_running_loop().time()
