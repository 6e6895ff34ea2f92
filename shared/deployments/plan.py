"""What a deployment needs done now. Pure: the same inputs give the same steps."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Final
from uuid import UUID

from shared.deployments.deployment import Deployment, Replica
from shared.deployments.desired import scaled
from shared.deployments.events import OfTheScaler, ReplicaEnded
from shared.deployments.load import Bounds, Demand, Lead
from shared.deployments.replacing import degraded, refused_for_long, replaced
from shared.deployments.rolling import added, removed, rollout_moved
from shared.deployments.situation import Situation
from shared.deployments.steps import Conclude, EndInstance, LaunchReplica, Step
from shared.lifecycle.instance import Instance
from shared.lifecycle.status import ENDING, GONE

LAUNCH_S: Final = 60
"""A launch is there so many seconds after its replica was removed, or never. A stalled scaler's fence counts, too."""


def plan(  # noqa: PLR0917 - what a decision is made from, in the order of its making
    deployment: Deployment,
    instances: Mapping[UUID, Instance],
    demand: Demand,
    lead: Lead,
    bounds: Sequence[Bounds],
    now: datetime,
) -> tuple[Step, ...]:
    """One conclusion if there is any, after whose recording the caller plans again; otherwise all that is to be done.

    `instances` has those of `deployment.replicas` that exist. Load them after the deployment, and take `now` before:
    a replica that is not among them may have been launched since. `bounds` are those in effect, then those that begin
    within the lead, oldest first.
    """
    situation = Situation(deployment, instances, demand, lead, bounds, now)
    concluded = _conclusion(situation)
    if concluded is not None:
        return (Conclude(concluded),)
    return (*_ends(situation), *_launches(situation))


def _conclusion(situation: Situation) -> OfTheScaler | None:
    rules = _RULES if situation.active else _RULES_OF_AN_INACTIVE_ONE
    return next((event for rule in rules if (event := rule(situation)) is not None), None)


def _ended(situation: Situation) -> ReplicaEnded | None:
    """The next leaving replica of which nothing is paid for any more."""
    over = (each for each in situation.deployment.replicas if each.leaving and _is_over(situation, each))
    return next((situation.conclude(ReplicaEnded, instance_id=each.instance_id) for each in over), None)


_RULES: Final[Sequence[Callable[[Situation], OfTheScaler | None]]] = (
    scaled,
    rollout_moved,
    removed,
    replaced,
    refused_for_long,
    degraded,
    _ended,
    added,
)
_RULES_OF_AN_INACTIVE_ONE: Final[Sequence[Callable[[Situation], OfTheScaler | None]]] = (scaled, removed, _ended)


def _is_over(situation: Situation, replica: Replica) -> bool:
    """It was never launched, and cannot be any more; or its machine is gone."""
    instance = situation.instance(replica)
    if instance is None:
        since = replica.leaving_since
        return since is None or (situation.now - since).total_seconds() >= LAUNCH_S
    resources = instance.resources
    no_server = resources.server_gone and not resources.duplicate_server_ids
    return instance.status in GONE or (instance.status in ENDING and (resources.released or no_server))


def _ends(situation: Situation) -> Iterator[EndInstance]:
    for replica in situation.deployment.replicas:
        instance = situation.instance(replica)
        if replica.leaving and instance is not None and (instance.status not in ENDING or instance.held_for_inspection):
            yield EndInstance(replica.instance_id)


def _launches(situation: Situation) -> Iterator[LaunchReplica]:
    """Only the first replicas of the list, as many as may be paid for, are ever launched, and new ones come last.

    So whatever another scaler launches by an older list, no more are paid for.
    """
    if not situation.active or situation.gave_up:
        return
    for replica in situation.deployment.replicas[: situation.places]:
        due = replica.not_before is None or replica.not_before <= situation.now
        if not replica.leaving and due and situation.instance(replica) is None:
            yield LaunchReplica(replica)
