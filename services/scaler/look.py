"""What follows from a look beside the plan: which refusal is to be told, and when to look again. Pure."""

import random
from collections.abc import Callable, Mapping
from datetime import datetime
from uuid import UUID

from services.scaler.settings import ScalerSettings
from shared.deployments.deployment import Deployment, Replica
from shared.deployments.events import ReplicaRefused
from shared.launching import LaunchReply
from shared.lifecycle.instance import Instance
from shared.lifecycle.status import Status


def refused(
    deployment: Deployment, refusal_of: Callable[[Replica], LaunchReply | None], now: datetime
) -> ReplicaRefused | None:
    """The next refusal that was not told yet. One of the same code was: only its figures may differ."""
    for replica in deployment.staying:
        refusal = refusal_of(replica)
        if refusal is None or refusal.code is None or (replica.refusal and replica.refusal.code == refusal.code):
            continue
        return ReplicaRefused(
            deployment_id=deployment.id,
            occurred_at=now,
            basis=deployment.version,
            ordinal=replica.ordinal,
            instance_id=replica.instance_id,
            code=refusal.code,
            message=refusal.message or refusal.code,
        )
    return None


def pause_s(
    deployment: Deployment,
    instances: Mapping[UUID, Instance],
    load: float,
    settings: ScalerSettings,
    now: datetime,
) -> float:
    """Until the next look, if nothing happens before."""
    moving = load > 0 or deployment.rollout is not None or deployment.degraded is not None
    moving = moving or any(not _is_settled(replica, instances) for replica in deployment.replicas)
    longest = settings.moving_look_seconds if moving else settings.steady_look_seconds * _spread()
    due = [(each.not_before - now).total_seconds() for each in deployment.replicas if each.not_before]
    return min(longest, *(seconds for seconds in due if seconds > 0), longest)


def _is_settled(replica: Replica, instances: Mapping[UUID, Instance]) -> bool:
    instance = instances.get(replica.instance_id)
    return not replica.leaving and instance is not None and instance.status is Status.READY


def _spread() -> float:
    return random.uniform(0.5, 1.0)  # noqa: S311  only spreads load
