"""Whether a request may expect a replica of a deployment, and why not. Pure."""

from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Final

from shared.deployments.deployment import Deployment, DeploymentStatus
from shared.deployments.wish import Scaling
from shared.schedule import bounds

_CACHED: Final = 1_024


@dataclass(frozen=True)
class NotWaking:
    """`code` is stable, for programs; `message` says why, and what to do, for people: a sentence after its name."""

    code: str
    message: str


def why_it_does_not_wake(deployment: Deployment, now: datetime) -> NotWaking | None:
    """None if it has a replica that is ready or on its way, or gets one when somebody asks for its model."""
    if deployment.status is DeploymentStatus.DELETED:
        return NotWaking("deployment_deleted", "was deleted.")
    if deployment.status is DeploymentStatus.PAUSED:
        return NotWaking("deployment_paused", "is paused until somebody resumes it.")
    if deployment.degraded is not None and deployment.degraded.gave_up:
        return NotWaking(deployment.degraded.code, f"has given up: {deployment.degraded.message}")
    if _most_replicas(deployment.wish.scaling, now.replace(second=0, microsecond=0)) == 0:
        return NotWaking("no_replicas_allowed", "may have no replicas now.")
    refusals = [replica.refusal for replica in deployment.staying]
    if refusals and (refusal := refusals[0]) is not None and None not in refusals:
        return NotWaking(refusal.code, f"could not be launched: {refusal.message}")
    return None


@lru_cache(_CACHED)
def _most_replicas(scaling: Scaling, minute: datetime) -> int:
    """A schedule turns at the beginning of a minute. To evaluate it takes too long for every request that waits."""
    return bounds(scaling, minute, 0.0)[0].max_replicas
