"""Which replicas come and go: as many as are wanted, and of which revision. What is ready and wanted stays."""

from collections.abc import Sequence
from datetime import datetime
from typing import Literal, TypeAlias

from shared.deployments import events as e
from shared.deployments.deployment import DeploymentStatus, Replica
from shared.deployments.situation import Situation
from shared.lifecycle.status import LIVE, Status

_Reason: TypeAlias = Literal["scaled", "rollout", "paused", "deleted", "halted"]


def rollout_moved(situation: Situation) -> e.RolloutStarted | e.RolloutFinished | None:
    """Where nothing of another revision stays, nothing has to be rolled out; nor where what serves is wanted."""
    deployment = situation.deployment
    revision, rollout = deployment.revision, deployment.rollout
    if rollout is None and deployment.serving_revision == revision:
        return None
    others = any(each.revision != revision for each in situation.staying)
    if rollout is None and others:
        return situation.conclude(e.RolloutStarted, revision=revision, former=deployment.serving_revision)
    if others or situation.halted:
        return None
    return situation.conclude(e.RolloutFinished, revision=revision)


def removed(situation: Situation) -> e.ReplicaRemoved | None:
    """The next replica that is to go."""
    if not situation.active:
        why: _Reason = "deleted" if situation.deployment.status is DeploymentStatus.DELETED else "paused"
        return next((_removed(situation, each, why) for each in situation.staying), None)
    if (surplus := _surplus(situation)) is not None:
        return _removed(situation, surplus, "scaled")
    if (relieved := _relieved(situation)) is not None:
        return _removed(situation, relieved, "halted" if situation.halted else "rollout")
    return None


def added(situation: Situation) -> e.ReplicaAdded | None:
    """The next replica that is missing, once a machine more may be paid for."""
    deployment, staying = situation.deployment, len(situation.staying)
    if situation.gave_up or len(deployment.replicas) >= situation.places:
        return None
    wanted = deployment.wanted
    surge = deployment.wish.rollout.surge if situation.former else 0
    of_target = min(surge, wanted) if situation.unproven else wanted
    if len(situation.current) < of_target and staying < wanted + surge:
        return _added(situation, situation.target, "rollout" if situation.former else "scaled")
    if staying < wanted:
        return _added(situation, deployment.serving_revision, "scaled")
    return None


def _surplus(situation: Situation) -> Replica | None:
    """What is not launched goes first, and what is ready last, so as many of the ready stay as are wanted."""
    wanted = situation.deployment.wanted
    surge = situation.deployment.wish.rollout.surge if situation.former and wanted else 0
    among = situation.staying if len(situation.staying) > wanted + surge else situation.former
    return min(among, key=lambda each: _rank(situation, each)) if len(among) > wanted else None


def _relieved(situation: Situation) -> Replica | None:
    """A replica of another revision: one that serves no one, or one whose place those of the target have taken."""
    useless = next((each for each in situation.former if not _is_of_use(situation, each)), None)
    if useless is not None:
        return useless
    if not situation.settled or situation.settled + situation.ready_former <= situation.deployment.wanted:
        return None
    return next(filter(situation.is_ready, situation.former), None)


def _is_of_use(situation: Situation, replica: Replica) -> bool:
    """It is ready, or may become so before anything of the new revision does."""
    serving = replica.revision == situation.deployment.serving_revision
    return situation.is_ready(replica) or (serving and situation.unproven)


def _rank(situation: Situation, replica: Replica) -> tuple[int, bool, float]:
    """The lower, the sooner it goes; of the same kind those of another revision, then the newest."""
    instance = situation.instance(replica)
    of_target = replica.revision == situation.target
    if instance is None:
        return 0, of_target, -replica.ordinal
    if instance.status not in LIVE or instance.status in (Status.UNAVAILABLE, Status.DRAINING):
        return 1, of_target, -_age(instance.created_at)
    if instance.status is not Status.READY:
        return 2, of_target, -_age(instance.created_at)
    return 3, of_target, -_age(instance.ready_at or instance.created_at)


def _age(at: datetime) -> float:
    return at.timestamp()


def _removed(situation: Situation, replica: Replica, reason: _Reason) -> e.ReplicaRemoved:
    return situation.conclude(e.ReplicaRemoved, instance_id=replica.instance_id, reason=reason)


def _added(situation: Situation, revision: int, reason: Literal["scaled", "rollout"]) -> e.ReplicaAdded:
    deployment = situation.deployment
    ordinal = _free_ordinal(deployment.replicas)
    generation = deployment.next_generation(ordinal)
    return situation.conclude(
        e.ReplicaAdded,
        ordinal=ordinal,
        revision=revision,
        generation=generation,
        instance_id=e.replica_id(deployment.id, revision, ordinal, generation),
        reason=reason,
    )


def _free_ordinal(replicas: Sequence[Replica]) -> int:
    taken = {each.ordinal for each in replicas}
    return next(ordinal for ordinal in range(len(taken) + 1) if ordinal not in taken)
