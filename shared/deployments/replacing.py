"""What follows when a replica is lost: another in its place, a halted rollout, or giving up."""

from datetime import timedelta
from typing import Final

from shared.deployments import events as e
from shared.deployments.deployment import Replica
from shared.deployments.failures import Loss, loss_of, pause_s
from shared.deployments.situation import Situation

MOST_WASTED: Final = 3
"""After so many failures in a row that cost something, and that no place explains, nothing more is ordered."""
_TOLD_AFTER: Final = 2
"""After so many failures in a row the deployment is degraded."""
_MOST_REFUSED_S: Final = 300
"""A rollout whose replica is refused for longer halts."""


def replaced(situation: Situation) -> e.ReplicaReplaced | e.RolloutHalted | None:
    """What follows from the first replica that is lost."""
    for replica in situation.staying:
        instance = situation.instance(replica)
        if instance is None:
            continue
        loss = loss_of(instance, situation.now)
        if loss is not None:
            return _halted_by(situation, replica, loss) or _next_generation(situation, replica, loss)
    return None


def refused_for_long(situation: Situation) -> e.RolloutHalted | None:
    for replica in situation.current:
        refusal = replica.refusal
        if refusal is None or situation.instance(replica) is not None:
            continue
        if _may_halt(situation) and (situation.now - refusal.since).total_seconds() >= _MOST_REFUSED_S:
            return _halted(situation, refusal.code, refusal.message)
    return None


def degraded(situation: Situation) -> e.DeploymentDegraded | e.DeploymentRecovered | None:
    """Each is told once. Who gave up does not recover by itself."""
    deployment, ready = situation.deployment, situation.ready
    if situation.gave_up:
        return None
    if (hopeless := _hopeless(situation)) is not None:
        return _degraded(situation, hopeless, gave_up=True)
    if deployment.degraded is not None:
        return situation.conclude(e.DeploymentRecovered, ready=ready) if ready >= deployment.wanted else None
    troubled = next((each for each in situation.staying if _has_trouble(situation, each)), None)
    return _degraded(situation, troubled) if troubled is not None and ready < deployment.wanted else None


def _may_halt(situation: Situation) -> bool:
    """While the former revision still serves: where it does not, its replicas go first, and nothing rolls any more."""
    return situation.deployment.rollout is not None and not situation.halted


def _halted_by(situation: Situation, replica: Replica, loss: Loss) -> e.RolloutHalted | None:
    """A new revision has one further try; none if no place explains the failure, and nothing of it has served yet."""
    if not _may_halt(situation) or replica.revision != situation.target or loss.outside or loss.proven:
        return None
    at_once = loss.paid and not loss.explained(replica) and situation.unproven
    if not at_once and not replica.failures:
        return None
    return _halted(situation, loss.code, loss.message)


def _halted(situation: Situation, code: str, message: str) -> e.RolloutHalted:
    return situation.conclude(e.RolloutHalted, revision=situation.target, code=code, message=message)


def _next_generation(situation: Situation, replica: Replica, loss: Loss) -> e.ReplicaReplaced:
    deployment, ordinal = situation.deployment, replica.ordinal
    generation = deployment.next_generation(ordinal)
    failures = 1 if loss.proven else replica.failures + 1
    before = () if loss.proven else replica.avoid
    avoid = (*before, loss.place) if loss.place is not None and loss.place not in before else before
    return situation.conclude(
        e.ReplicaReplaced,
        ordinal=ordinal,
        former_instance_id=replica.instance_id,
        generation=generation,
        instance_id=e.replica_id(deployment.id, replica.revision, ordinal, generation),
        code=loss.code,
        message=loss.message,
        failures=failures,
        wasted=loss.wasted(replica),
        not_before=situation.now + timedelta(seconds=pause_s(failures)),
        avoid=avoid,
    )


def _hopeless(situation: Situation) -> Replica | None:
    """Too many failures in a row of one replica, or of all together while none of them is ready."""
    worst = max(situation.current, key=lambda each: each.wasted, default=None)
    if worst is None:
        return None
    none_ready = not any(map(situation.is_ready, situation.current))
    wasted = sum(each.wasted for each in situation.current) if none_ready else worst.wasted
    return worst if wasted >= MOST_WASTED else None


def _has_trouble(situation: Situation, replica: Replica) -> bool:
    instance = situation.instance(replica)
    if instance is None:
        return replica.refusal is not None or replica.failures >= _TOLD_AFTER
    return instance.ready_at is None and replica.failures >= _TOLD_AFTER


def _degraded(situation: Situation, replica: Replica, *, gave_up: bool = False) -> e.DeploymentDegraded:
    trouble = replica.refusal or replica.failure
    code, message = (trouble.code, trouble.message) if trouble else ("unexpected", "A replica did not become ready.")
    if gave_up:
        message += " Nothing more is ordered until somebody changes, restarts or resumes the deployment."
    wanted, ready = situation.deployment.wanted, situation.ready
    return situation.conclude(
        e.DeploymentDegraded, wanted=wanted, ready=ready, code=code, message=message, gave_up=gave_up
    )
