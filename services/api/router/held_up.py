"""What holds up a launch that requests wait for, in words. Pure."""

import math
from datetime import datetime

from shared.deployments.delays import ReplicaDelay, delays
from shared.deployments.deployment import Deployment
from shared.lifecycle.instance import Delay


def held_up(delay: Delay | ReplicaDelay, at: datetime) -> str:
    """As `no L4 in any zone (next try at 12:00:30 UTC)`."""
    return f"{delay.reason} ({_again(delay, at)})"


def seconds_to_next_try(delay: Delay | ReplicaDelay, at: datetime) -> int:
    """At most 0 once it is due, or if it is not known when that is."""
    return math.ceil((delay.next_try_at - at).total_seconds()) if delay.next_try_at else 0


def delay_of_waking(deployment: Deployment, at: datetime) -> ReplicaDelay | None:
    """Of the replica that is launched next, where none may be launched yet: the deployment has no instance."""
    found = delays(deployment.replicas, {})
    if len(found) < len(deployment.staying):
        return None
    following = [delay for delay in found if delay.next_try_at is not None]
    soonest = min(following, key=lambda delay: seconds_to_next_try(delay, at), default=None)
    return soonest if soonest and seconds_to_next_try(soonest, at) > 0 else None


def _again(delay: Delay | ReplicaDelay, at: datetime) -> str:
    if seconds_to_next_try(delay, at) <= 0:
        return "trying again"
    return f"next try at {delay.next_try_at:%H:%M:%S} UTC"
