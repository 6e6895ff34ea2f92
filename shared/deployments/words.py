"""The words for what happened to a deployment, and for what may be asked of one: the same wherever they are shown."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final, assert_never
from uuid import UUID

from pydantic import ValidationError

from shared.deployments import events as e
from shared.deployments.decide import DeploymentIntent

CONSEQUENCES: Final[Mapping[DeploymentIntent, str]] = {
    DeploymentIntent.PAUSE: "All its replicas end after their running requests, and no request wakes it until it is "
    "resumed.",
    DeploymentIntent.RESUME: "Replicas are launched again as they are needed.",
    DeploymentIntent.RESTART: "Each replica is replaced by a new one of the same; the old one goes when the new one is "
    "ready.",
    DeploymentIntent.ROLLBACK: "Its replicas are replaced by those of what was served before.",
    DeploymentIntent.DELETE: "All its replicas end after their running requests, and its name means nothing any more.",
}
"""What a person is told before confirming one."""
_OF_EVERY_FACT: Final = {"deployment_id": UUID(int=0), "occurred_at": datetime.fromtimestamp(0, UTC)}
"""What rows of a timeline leave out, and no sentence says."""


def what_happened(kind: str, fact: Mapping[str, Any]) -> str:
    """An event by its name and fields, in words; empty for one that this version does not know."""
    known = e.DEPLOYMENT_EVENTS.get(kind)
    try:
        return in_words(known.model_validate({**_OF_EVERY_FACT, **fact})) if known else ""
    except ValidationError:
        return ""


def in_words(event: e.DeploymentEvent) -> str:  # noqa: C901, PLR0911, PLR0912 - one case for each event
    """What happened and why, as a sentence without a full stop unless the reason brings one."""
    match event:
        case e.DeploymentCreated(wish=wish):
            return f"created, with {_bounds(wish.scaling.min_replicas, wish.scaling.max_replicas)}"
        case e.DeploymentChanged(why="restarted", revision=revision):
            return f"restarted, as revision {revision}"
        case e.DeploymentChanged(why="rolled_back", revision=revision, wish=wish):
            return f"rolled back to {wish.template.model}, as revision {revision}"
        case e.DeploymentChanged(revision=revision, wish=wish):
            return f"changed, revision {revision}, {_bounds(wish.scaling.min_replicas, wish.scaling.max_replicas)}"
        case e.DeploymentPaused():
            return "paused"
        case e.DeploymentResumed():
            return "resumed"
        case e.DeploymentDeleted():
            return "deleted"
        case e.DeploymentScaled(before=before, after=after, message=message):
            return f"{before} → {after} replicas: {message}"
        case e.ReplicaAdded(ordinal=ordinal, revision=revision, reason=reason):
            return f"replica {ordinal} of revision {revision} is launched ({reason})"
        case e.ReplicaReplaced(ordinal=ordinal, failures=failures, message=message):
            return f"replica {ordinal} is replaced, after {counted(failures, 'failure')}: {message}"
        case e.ReplicaRemoved(reason=reason, instance_id=instance_id):
            return f"instance {str(instance_id)[:8]} is drained ({reason})"
        case e.ReplicaEnded(instance_id=instance_id):
            return f"instance {str(instance_id)[:8]} has ended"
        case e.ReplicaRefused(ordinal=ordinal, message=message):
            which = "a launch" if ordinal is None else f"the launch of replica {ordinal}"
            return f"{which} was refused: {message}"
        case e.DeploymentDegraded(wanted=wanted, ready=ready, message=message, gave_up=gave_up):
            return f"{ready} of {wanted} ready{', given up' if gave_up else ''}: {message}"
        case e.DeploymentRecovered(ready=ready):
            return f"{ready} ready again"
        case e.RolloutStarted(revision=revision, former=former):
            return f"revision {revision} is rolled out in place of {former}"
        case e.RolloutFinished(revision=revision):
            return f"revision {revision} is rolled out"
        case e.RolloutHalted(revision=revision, message=message):
            return f"the rollout of revision {revision} was halted: {message}"
        case _:
            assert_never(event)


def _bounds(least: int, most: int) -> str:
    return counted(most, "replica") if least == most else f"{least} to {counted(most, 'replica')}"


def counted(number: int, noun: str) -> str:
    """As `1 replica` or `2 replicas`."""
    return f"{number} {noun}{'' if number == 1 else 's'}"
