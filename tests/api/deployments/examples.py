"""Deployments to look at, built by their own facts."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from shared.deployments import events as e
from shared.deployments.deployment import Deployment
from shared.deployments.events import DeploymentEvent, deployment_id, replica_id
from shared.deployments.fold import begin, evolve
from shared.deployments.wish import DeploymentWish, Scaling, Template
from tests.api.stage import MODEL

AT = datetime(2026, 11, 30, 12, 0, tzinfo=UTC)


def a_deployment(
    name: str = "chat",
    *events: DeploymentEvent,
    organization_id: UUID | None = None,
    model: str = MODEL,
    age_s: float = 0,
    **scaling: Any,
) -> Deployment:
    """At zero, if no events say otherwise."""
    wish = DeploymentWish(
        name=name, organization_id=organization_id, template=Template(model=model), scaling=Scaling(**scaling)
    )
    of = deployment_id(name, organization_id)
    created = e.DeploymentCreated(deployment_id=of, occurred_at=AT - timedelta(seconds=age_s), wish=wish, revision=1)
    return after(begin(created), *events)


def after(deployment: Deployment, *events: DeploymentEvent) -> Deployment:
    """Each event is taken for one of this deployment."""
    for event in events:
        deployment = evolve(deployment, event.model_copy(update={"deployment_id": deployment.id}))
    return deployment


_ANY: dict[str, Any] = {"deployment_id": UUID(int=0), "occurred_at": AT}
_CONCLUDED: dict[str, Any] = {**_ANY, "basis": 1}


def paused() -> e.DeploymentPaused:
    return e.DeploymentPaused(**_ANY)


def resumed() -> e.DeploymentResumed:
    return e.DeploymentResumed(**_ANY)


def deleted() -> e.DeploymentDeleted:
    return e.DeploymentDeleted(**_ANY)


def changed(wish: DeploymentWish, revision: int = 1) -> e.DeploymentChanged:
    return e.DeploymentChanged(**_ANY, wish=wish, revision=revision)


def scaled(to: int = 1) -> e.DeploymentScaled:
    return e.DeploymentScaled(**_CONCLUDED, before=0, after=to, reason="woken", message="A request came.")


def added(of: Deployment | None = None, ordinal: int = 0) -> e.ReplicaAdded:
    instance_id = replica_id((of or a_deployment()).id, 1, ordinal, 1)
    return e.ReplicaAdded(
        **_CONCLUDED, ordinal=ordinal, revision=1, generation=1, instance_id=instance_id, reason="scaled"
    )


def replaced(message: str, not_before: datetime) -> e.ReplicaReplaced:
    """The first replica, after its first failure."""
    of = a_deployment().id
    return e.ReplicaReplaced(
        **_CONCLUDED,
        ordinal=0,
        former_instance_id=replica_id(of, 1, 0, 1),
        generation=2,
        instance_id=replica_id(of, 1, 0, 2),
        code="out_of_stock",
        message=message,
        failures=1,
        not_before=not_before,
    )


def refused(of: Deployment | None = None, ordinal: int = 0) -> e.ReplicaRefused:
    instance_id = replica_id((of or a_deployment()).id, 1, ordinal, 1)
    message = "Your organisation may run 2 instances, and runs 2."
    return e.ReplicaRefused(**_CONCLUDED, instance_id=instance_id, code="limit_reached", message=message)


def degraded(*, gave_up: bool) -> e.DeploymentDegraded:
    message = "3 replicas in a row ran out of memory."
    return e.DeploymentDegraded(**_CONCLUDED, wanted=1, ready=0, code="worker_exited", message=message, gave_up=gave_up)


def rollout_started(revision: int) -> e.RolloutStarted:
    return e.RolloutStarted(**_CONCLUDED, revision=revision, former=1)


def rollout_halted(revision: int) -> e.RolloutHalted:
    return e.RolloutHalted(**_CONCLUDED, revision=revision, code="worker_exited", message="It ran out of memory.")
