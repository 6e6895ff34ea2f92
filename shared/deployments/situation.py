"""What a decision is made from, and what follows from it directly."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property
from typing import Any, TypeVar
from uuid import UUID

from shared.deployments.deployment import Deployment, DeploymentStatus, Replica
from shared.deployments.events import OfTheScaler
from shared.deployments.load import Bounds, Demand, Lead
from shared.lifecycle.instance import Instance
from shared.lifecycle.status import Status

_Concluded = TypeVar("_Concluded", bound=OfTheScaler)


@dataclass(frozen=True)
class Situation:
    """`instances` has those of the deployment's replicas that exist; `bounds` those in effect, then coming ones."""

    deployment: Deployment
    instances: Mapping[UUID, Instance]
    demand: Demand
    lead: Lead
    bounds: Sequence[Bounds]
    now: datetime

    def conclude(self, kind: type[_Concluded], **fields: Any) -> _Concluded:
        of, basis = self.deployment.id, self.deployment.version
        return kind(deployment_id=of, occurred_at=self.now, basis=basis, **fields)

    @property
    def active(self) -> bool:
        return self.deployment.status is DeploymentStatus.ACTIVE

    @property
    def gave_up(self) -> bool:
        return self.deployment.gave_up

    @cached_property
    def limits(self) -> Bounds:
        """Both those in effect and those that come within the time of a launch: machines are ready when they begin."""
        scaling = self.deployment.wish.scaling
        soon = self.now + timedelta(seconds=self.lead.p90_s)
        given = [each for each in self.bounds if each.since is None or each.since <= soon]
        if not given:
            return Bounds(min_replicas=scaling.min_replicas, max_replicas=scaling.max_replicas)
        return Bounds(
            min_replicas=max(each.min_replicas for each in given), max_replicas=max(each.max_replicas for each in given)
        )

    @property
    def places(self) -> int:
        """How many machines may be paid for at once."""
        return self.limits.max_replicas + self.deployment.wish.rollout.surge

    @property
    def halted(self) -> bool:
        return self.deployment.rollout is not None and self.deployment.rollout.halted is not None

    @property
    def target(self) -> int:
        """The revision that all replicas are to be of."""
        return self.deployment.serving_revision if self.halted else self.deployment.revision

    @cached_property
    def staying(self) -> tuple[Replica, ...]:
        return self.deployment.staying

    @cached_property
    def current(self) -> tuple[Replica, ...]:
        """The staying replicas of the target revision."""
        return tuple(each for each in self.staying if each.revision == self.target)

    @cached_property
    def former(self) -> tuple[Replica, ...]:
        """The staying replicas of any other revision: they go when those of the target can take over."""
        return tuple(each for each in self.staying if each.revision != self.target)

    def instance(self, replica: Replica) -> Instance | None:
        return self.instances.get(replica.instance_id)

    def is_ready(self, replica: Replica) -> bool:
        instance = self.instance(replica)
        return instance is not None and instance.status is Status.READY

    def has_settled(self, replica: Replica) -> bool:
        """Ready, and for as long as a rollout asks for."""
        instance = self.instance(replica)
        if instance is None or instance.status is not Status.READY:
            return False
        return (self.now - instance.status_since).total_seconds() >= self.deployment.wish.rollout.settle

    @cached_property
    def ready(self) -> int:
        return sum(map(self.is_ready, self.staying))

    @cached_property
    def ready_former(self) -> int:
        return sum(map(self.is_ready, self.former))

    @cached_property
    def settled(self) -> int:
        """How many replicas of the target revision have settled."""
        return sum(map(self.has_settled, self.current))

    @property
    def unproven(self) -> bool:
        """A new revision of which nothing has settled yet, while the former serves."""
        return bool(self.ready_former) and not self.halted and not self.settled
