"""From facts to the deployment. The only place where a deployment changes."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any, Final, assert_never

from shared.actor import RequestedBy
from shared.deployments import events as e
from shared.deployments.deployment import (
    Degraded,
    Deployment,
    DeploymentStatus,
    DeploymentTrouble,
    Replica,
    RolloutState,
)
from shared.plain_text import shortened

_UNTRIED: Final = {"failures": 0, "wasted": 0, "failure": None, "not_before": None, "avoid": (), "refusal": None}
_LONGEST_TROUBLE: Final = 300
_MOST_AVOIDED: Final = 12
"""With the most replicas, the snapshot then fits into a message of the stream, which has a megabyte."""


def begin(created: e.DeploymentCreated) -> Deployment:
    """The deployment after its first fact."""
    at = created.occurred_at
    return Deployment(
        id=created.deployment_id,
        wish=created.wish,
        revision=created.revision,
        serving_revision=created.revision,
        serving_template=created.wish.template,
        created_by=created.requested_by,
        requested_by=created.requested_by,
        created_at=at,
        status_since=at,
        updated_at=at,
    )


def evolve(deployment: Deployment, event: e.DeploymentEvent) -> Deployment:
    """Apply one fact. Never raises: a conclusion that is out of date was not recorded."""
    at = max(deployment.updated_at, event.occurred_at)
    noted = _with(deployment, version=deployment.version + 1, updated_at=at)
    if isinstance(event, RequestedBy):
        noted = _with(noted, requested_by=event.requested_by or noted.requested_by)
    return _informed(noted, event)


def fold(events: Iterable[e.DeploymentEvent]) -> Deployment | None:
    """The deployment after these facts; None without a creation. Facts before it are skipped."""
    deployment: Deployment | None = None
    for event in events:
        if deployment is not None:
            deployment = evolve(deployment, event)
        elif isinstance(event, e.DeploymentCreated):
            deployment = begin(event)
    return deployment


def _with(deployment: Deployment, **changes: Any) -> Deployment:
    return deployment.model_copy(update=changes)


def _informed(deployment: Deployment, event: e.DeploymentEvent) -> Deployment:  # noqa: C901, PLR0911, PLR0912 - a match over every event is one idea
    match event:
        case e.DeploymentCreated():
            return _created_again(deployment, event)
        case e.DeploymentChanged():
            return _changed(deployment, event)
        case e.DeploymentPaused():
            return _in_status(deployment, DeploymentStatus.PAUSED, event)
        case e.DeploymentResumed():
            return _in_status(deployment, DeploymentStatus.ACTIVE, event)
        case e.DeploymentDeleted():
            return _in_status(deployment, DeploymentStatus.DELETED, event)
        case e.DeploymentScaled():
            return _with(deployment, wanted=event.after, scaled_at=event.occurred_at)
        case e.ReplicaAdded():
            return _added(deployment, event)
        case e.ReplicaReplaced():
            return _replaced(deployment, event)
        case e.ReplicaRemoved():
            return _with(deployment, replicas=_changed_replica(deployment, event, **_leaving(event.occurred_at)))
        case e.ReplicaEnded():
            left = tuple(each for each in deployment.replicas if each.instance_id != event.instance_id)
            return _with(deployment, replicas=left)
        case e.ReplicaRefused():
            return _with(deployment, replicas=_changed_replica(deployment, event, refusal=_trouble(event)))
        case e.DeploymentDegraded():
            return _with(deployment, degraded=_degraded(deployment, event))
        case e.DeploymentRecovered():
            return _with(deployment, degraded=None)
        case e.RolloutStarted():
            state = RolloutState(revision=event.revision, former=event.former, since=event.occurred_at)
            return _with(deployment, rollout=state)
        case e.RolloutFinished():
            return _finished(deployment, event)
        case e.RolloutHalted():
            return _halted(deployment, event)
        case _:
            assert_never(event)


def _created_again(deployment: Deployment, event: e.DeploymentCreated) -> Deployment:
    """It goes on counting versions, revisions and generations, so no instance gets an id that another had.

    What the deleted one still has leaves.
    """
    leaving = _leaving(event.occurred_at)
    return _with(
        begin(event),
        version=deployment.version,
        updated_at=deployment.updated_at,
        replicas=tuple(each if each.leaving else each.model_copy(update=leaving) for each in deployment.replicas),
        generations=deployment.generations,
    )


def _changed(deployment: Deployment, event: e.DeploymentChanged) -> Deployment:
    """Whoever changes something asks for another try, too. What goes back to what serves keeps what serves."""
    if event.wish.template == deployment.serving_template != deployment.wish.template:
        deployment = _serving_as(deployment, event.revision)
    previous = deployment.previous_template
    if event.wish.template != deployment.serving_template:
        previous = deployment.serving_template
    rolling = deployment.rollout if event.revision == deployment.revision else None
    tried_anew = _tried_anew(deployment)
    return _with(
        tried_anew, wish=event.wish, revision=event.revision, previous_template=previous, rollout=rolling, degraded=None
    )


def _serving_as(deployment: Deployment, revision: int) -> Deployment:
    """Its serving replicas are of this revision from now on: they are what it asks for, and need not be replaced."""
    replicas = tuple(
        each.model_copy(update={"revision": revision}) if each.revision == deployment.serving_revision else each
        for each in deployment.replicas
    )
    return _with(deployment, serving_revision=revision, replicas=replicas)


def _in_status(deployment: Deployment, status: DeploymentStatus, event: e.OfAPerson) -> Deployment:
    return _with(_tried_anew(deployment), status=status, status_since=event.occurred_at, degraded=None)


def _tried_anew(deployment: Deployment) -> Deployment:
    """Earlier failures and refusals count no more."""
    return _with(deployment, replicas=tuple(each.model_copy(update=_UNTRIED) for each in deployment.replicas))


def _leaving(at: datetime) -> dict[str, Any]:
    """What it has met is of use to nobody any more, and every event carries it."""
    return {"leaving": True, "leaving_since": at, **_UNTRIED}


def _trouble(event: e.ReplicaReplaced | e.ReplicaRefused) -> DeploymentTrouble:
    """Every later event carries it for each replica, so the whole of it is in this event only."""
    message = shortened(event.message, _LONGEST_TROUBLE)
    return DeploymentTrouble(code=event.code, message=message, since=event.occurred_at)


def _added(deployment: Deployment, event: e.ReplicaAdded) -> Deployment:
    added = Replica(
        ordinal=event.ordinal, revision=event.revision, generation=event.generation, instance_id=event.instance_id
    )
    return _holding(deployment, (*deployment.replicas, added), added)


def _replaced(deployment: Deployment, event: e.ReplicaReplaced) -> Deployment:
    """The former one leaves. The next generation comes last: those before it may have been launched already."""
    former = next((each for each in deployment.replicas if each.instance_id == event.former_instance_id), None)
    if former is None:
        return deployment
    leaving = former.model_copy(update=_leaving(event.occurred_at))
    following = Replica(
        ordinal=event.ordinal,
        revision=former.revision,
        generation=event.generation,
        instance_id=event.instance_id,
        failures=event.failures,
        wasted=event.wasted,
        failure=_trouble(event),
        not_before=event.not_before,
        avoid=event.avoid[-_MOST_AVOIDED:],
    )
    others = tuple(leaving if each is former else each for each in deployment.replicas)
    return _holding(deployment, (*others, following), following)


def _holding(deployment: Deployment, replicas: tuple[Replica, ...], newest: Replica) -> Deployment:
    counted = list(deployment.generations)
    counted += [0] * (newest.ordinal + 1 - len(counted))
    counted[newest.ordinal] = newest.generation
    return _with(deployment, replicas=replicas, generations=tuple(counted))


def _changed_replica(
    deployment: Deployment, event: e.ReplicaRemoved | e.ReplicaRefused, **changes: Any
) -> tuple[Replica, ...]:
    return tuple(
        each.model_copy(update=changes) if each.instance_id == event.instance_id else each
        for each in deployment.replicas
    )


def _degraded(deployment: Deployment, event: e.DeploymentDegraded) -> Degraded:
    since = deployment.degraded.since if deployment.degraded else event.occurred_at
    return Degraded(code=event.code, message=event.message, since=since, gave_up=event.gave_up)


def _finished(deployment: Deployment, event: e.RolloutFinished) -> Deployment:
    if event.revision != deployment.revision:
        return deployment
    return _with(deployment, serving_revision=event.revision, serving_template=deployment.wish.template, rollout=None)


def _halted(deployment: Deployment, event: e.RolloutHalted) -> Deployment:
    if deployment.rollout is None or deployment.rollout.revision != event.revision:
        return deployment
    trouble = DeploymentTrouble(code=event.code, message=event.message, since=event.occurred_at)
    return _with(deployment, rollout=deployment.rollout.model_copy(update={"halted": trouble}))
