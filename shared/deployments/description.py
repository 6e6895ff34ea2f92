"""What follows from a deployment's snapshot alone: its words, and what may be asked of it."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final, Self
from uuid import UUID

from pydantic import AwareDatetime, BaseModel, ConfigDict

from shared.actor import Actor
from shared.deployments.decide import DEPLOYMENT_DECISIONS, DeploymentIntent
from shared.deployments.deployment import Degraded, Deployment, DeploymentStatus, Replica, RolloutState
from shared.deployments.errors import DeploymentError
from shared.deployments.wish import DeploymentWish
from shared.lifecycle.tone import Tone
from shared.plain_text import PlainText

_TONES: Final[Mapping[DeploymentStatus, Tone]] = {
    DeploymentStatus.ACTIVE: Tone.GOOD,
    DeploymentStatus.PAUSED: Tone.NEUTRAL,
    DeploymentStatus.DELETED: Tone.NEUTRAL,
}


class DeploymentDescription(BaseModel):
    """A deployment at the moment `as_of`.

    `status_label` is its status in words; `doing` says what it does or what hinders it, and is empty if nothing does.
    `wanted` replicas are to serve; how many are ready is for their instances to say. `actions` are possible now.
    `created_by` asked for it, `requested_by` for the last change; None where that was not recorded.
    """

    model_config = ConfigDict(frozen=True)

    id: UUID
    name: str
    organization_id: UUID | None
    model: str
    status: DeploymentStatus
    status_label: PlainText
    status_since: AwareDatetime
    tone: Tone
    doing: PlainText
    wanted: int
    revision: int
    serving_revision: int
    replicas: tuple[Replica, ...]
    rollout: RolloutState | None
    degraded: Degraded | None
    wish: DeploymentWish
    actions: tuple[DeploymentIntent, ...]
    created_by: Actor | None = None
    requested_by: Actor | None = None
    created_at: AwareDatetime
    updated_at: AwareDatetime
    as_of: AwareDatetime
    version: int

    @classmethod
    def of(cls, deployment: Deployment, at: datetime, **more: Any) -> Self:
        """`more`: the fields that a subclass has besides."""
        return cls(
            id=deployment.id,
            name=deployment.name,
            organization_id=deployment.organization_id,
            model=deployment.wish.template.model,
            status=deployment.status,
            status_label=status_label(deployment),
            status_since=deployment.status_since,
            tone=tone(deployment),
            doing=doing(deployment),
            wanted=deployment.wanted,
            revision=deployment.revision,
            serving_revision=deployment.serving_revision,
            replicas=deployment.replicas,
            rollout=deployment.rollout,
            degraded=deployment.degraded,
            wish=deployment.wish,
            actions=possible_actions(deployment, at),
            created_by=deployment.created_by,
            requested_by=deployment.requested_by,
            created_at=deployment.created_at,
            updated_at=deployment.updated_at,
            as_of=at,
            version=deployment.version,
            **more,
        )


def status_label(deployment: Deployment) -> str:
    if deployment.status is DeploymentStatus.DELETED and deployment.replicas:
        return "being deleted"
    if deployment.status is DeploymentStatus.ACTIVE and deployment.degraded is not None:
        return "degraded"
    if deployment.status is DeploymentStatus.ACTIVE and not deployment.wanted:
        return "at zero"
    return deployment.status.value


def tone(deployment: Deployment) -> Tone:
    if deployment.status is DeploymentStatus.ACTIVE:
        if deployment.degraded is not None:
            return Tone.BAD if deployment.degraded.gave_up else Tone.WARN
        if deployment.rollout is not None:
            return Tone.WARN if deployment.rollout.halted else Tone.PROGRESS
        if not deployment.wanted:
            return Tone.NEUTRAL
    return _TONES[deployment.status]


def doing(deployment: Deployment) -> str:
    """What hinders it most; else its rollout; else which replicas leave. Nothing but that while it wants none."""
    leaving = len(deployment.replicas) - len(deployment.staying)
    ending = f"ending {leaving} {'replica' if leaving == 1 else 'replicas'}" if leaving else ""
    if deployment.status is not DeploymentStatus.ACTIVE:
        return ending
    rollout = deployment.rollout
    if deployment.degraded is not None:
        return deployment.degraded.message
    if rollout is not None and rollout.halted is not None:
        return f"the rollout of revision {rollout.revision} was halted: {rollout.halted.message}"
    for replica in deployment.staying:
        if replica.refusal is not None:
            return f"replica {replica.ordinal} could not be launched: {replica.refusal.message}"
    if rollout is not None:
        return f"rolling out revision {rollout.revision}"
    return ending


def possible_actions(deployment: Deployment, at: datetime) -> tuple[DeploymentIntent, ...]:
    """The intents that would change something now, in the order of `DeploymentIntent`."""
    return tuple(intent for intent in DeploymentIntent if _changes(intent, deployment, at))


def _changes(intent: DeploymentIntent, deployment: Deployment, at: datetime) -> bool:
    try:
        return DEPLOYMENT_DECISIONS[intent](deployment, deployment.id, at) is not None
    except DeploymentError:
        return False
