"""Turns what somebody asks of a deployment into a fact, or raises DeploymentError with a reason to act on."""

from datetime import datetime
from enum import StrEnum
from uuid import UUID

from shared.deployments import events as e
from shared.deployments.deployment import Deployment, DeploymentStatus
from shared.deployments.errors import DeploymentRefused, DeploymentUnknown
from shared.deployments.wish import DeploymentWish


class DeploymentIntent(StrEnum):
    """What a person may ask of a deployment that exists, beside changing its wish."""

    PAUSE = "pause"
    RESUME = "resume"
    RESTART = "restart"
    ROLLBACK = "rollback"
    DELETE = "delete"


def put(
    existing: Deployment | None, of: UUID, wish: DeploymentWish, at: datetime
) -> e.DeploymentCreated | e.DeploymentChanged | None:
    """What makes the deployment so; None if it is so already. `of` is its id."""
    if existing is None or existing.status is DeploymentStatus.DELETED:
        revision = existing.revision + 1 if existing else 1
        return e.DeploymentCreated(deployment_id=of, occurred_at=at, wish=wish, revision=revision)
    if existing.wish == wish:
        return None
    revision = existing.revision + (wish.template != existing.wish.template)
    return e.DeploymentChanged(deployment_id=of, occurred_at=at, wish=wish, revision=revision)


def pause(existing: Deployment | None, of: UUID, at: datetime) -> e.DeploymentPaused | None:
    """None if it is paused already."""
    deployment = _living(existing, of)
    return (
        None if deployment.status is DeploymentStatus.PAUSED else e.DeploymentPaused(deployment_id=of, occurred_at=at)
    )


def resume(existing: Deployment | None, of: UUID, at: datetime) -> e.DeploymentResumed | None:
    """None if it is active already, and has not given up."""
    deployment = _living(existing, of)
    active = deployment.status is DeploymentStatus.ACTIVE and not deployment.gave_up
    return None if active else e.DeploymentResumed(deployment_id=of, occurred_at=at)


def restart(existing: Deployment | None, of: UUID, at: datetime) -> e.DeploymentChanged:
    """Replace every replica by a new one of the same."""
    wish, revision = (living := _living(existing, of)).wish, living.revision + 1
    return e.DeploymentChanged(deployment_id=of, occurred_at=at, wish=wish, revision=revision, why="restarted")


def rollback(existing: Deployment | None, of: UUID, at: datetime) -> e.DeploymentChanged:
    """Go back to what served last; if it has been rolled out everywhere, to what served before."""
    deployment = _living(existing, of)
    serving = deployment.serving_template
    template = serving if serving != deployment.wish.template else deployment.previous_template
    if template is None or template == deployment.wish.template:
        raise DeploymentRefused("roll back", "nothing else was rolled out before.")
    wish = deployment.wish.model_copy(update={"template": template})
    return e.DeploymentChanged(
        deployment_id=of, occurred_at=at, wish=wish, revision=deployment.revision + 1, why="rolled_back"
    )


def delete(existing: Deployment | None, of: UUID, at: datetime) -> e.DeploymentDeleted:
    _living(existing, of)
    return e.DeploymentDeleted(deployment_id=of, occurred_at=at)


DEPLOYMENT_DECISIONS = {
    DeploymentIntent.PAUSE: pause,
    DeploymentIntent.RESUME: resume,
    DeploymentIntent.RESTART: restart,
    DeploymentIntent.ROLLBACK: rollback,
    DeploymentIntent.DELETE: delete,
}
"""Each takes the deployment (None: there is none), its id and the time, and returns None if nothing has to happen."""


def _living(existing: Deployment | None, of: UUID) -> Deployment:
    if existing is None or existing.status is DeploymentStatus.DELETED:
        raise DeploymentUnknown(of)
    return existing
