"""Which of a model's instances is most likely to be ready next, to describe it to the client."""

from collections.abc import Container
from datetime import datetime
from math import inf
from uuid import UUID

from services.api.deployments.table import DeploymentTable
from services.api.deployments.waking import why_it_does_not_wake
from services.api.estimates.estimates import Estimates
from services.api.router.breakers import Breakers
from services.api.router.table import RoutingTable
from shared.lifecycle.instance import Instance
from shared.lifecycle.status import ENDING, Status


class Nearest:
    def __init__(
        self, table: RoutingTable, estimates: Estimates, breakers: Breakers, deployments: DeploymentTable
    ) -> None:
        self._table = table
        self._estimates = estimates
        self._breakers = breakers
        self._deployments = deployments

    def of(self, model: str, organization: UUID | None, at: datetime, without: Container[UUID] = ()) -> Instance | None:
        """The instance that will be ready soonest; then those with unknown times, then those that will not come.

        None if there is no instance but those `without`.
        """
        return min(
            (each for each in self._table.serving(model, organization) if each.id not in without),
            key=lambda instance: (*self._rank(instance, at), -instance.progress_percent, instance.created_at),
            default=None,
        )

    def may_come(self, instance: Instance, at: datetime) -> bool:
        """Whether anybody may wait for it: it is not ending, and neither is it a replica that is going to be ended."""
        if instance.status in ENDING:
            return False
        replica = instance.specification.replica
        deployment = replica and self._deployments.of(replica.deployment_id)
        return not deployment or why_it_does_not_wake(deployment, at) is None

    def is_dead(self, instance: Instance) -> bool:
        """Whether the engine of this ready instance is dead, as this router has seen."""
        worker = self._table.worker(instance.id)
        return worker is not None and self._breakers.is_dead(worker)

    def _rank(self, instance: Instance, at: datetime) -> tuple[int, float]:
        """Sort key. Progress says little: an instance that was ready and is lost keeps its 100 %."""
        if self.is_dead(instance):
            return 1, inf
        if instance.status is Status.READY:
            return 0, 0.0
        if not self.may_come(instance, at):
            return 2, inf
        estimate = self._estimates.of(instance, at)
        return (1, inf) if estimate is None else (0, estimate.p50_seconds)
