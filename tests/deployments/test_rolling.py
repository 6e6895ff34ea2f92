"""Which replicas come and go."""

from datetime import timedelta
from typing import Any
from uuid import UUID

from shared.deployments import events as e
from shared.deployments.deployment import Degraded, Deployment
from shared.deployments.fold import evolve
from shared.lifecycle.instance import Instance
from shared.lifecycle.status import Status
from tests.deployments.examples import AT, ID, a_deployment, a_wish, an_instance, changed, concluded, with_ready


def test_what_serves_least_goes_first_and_of_the_ready_the_newest() -> None:
    deployment = with_ready(6, max_replicas=6)
    long_ago, lately = AT - timedelta(hours=2), AT - timedelta(hours=1)
    as_they_are = [
        (Status.READY, long_ago),
        (Status.READY, lately),
        (Status.STARTING, long_ago),
        (Status.UNAVAILABLE, long_ago - timedelta(hours=1)),
        (Status.STARTING, lately),
    ]
    there = {
        replica.instance_id: an_instance(replica, status, since=since)
        for replica, (status, since) in zip(deployment.replicas, as_they_are, strict=False)
    }
    _, facts, _ = concluded(changed(deployment, max_replicas=1), there)
    ordinals = {replica.instance_id: replica.ordinal for replica in deployment.replicas}
    gone = [ordinals[fact.instance_id] for fact in facts if isinstance(fact, e.ReplicaRemoved)]
    assert gone == [5, 3, 4, 2, 1]


def rolling(**overrides: Any) -> tuple[Deployment, dict[UUID, Instance]]:
    """Two replicas of the former revision are ready, and the first of the new one is not."""
    wish = {"min_replicas": 2} | overrides
    deployment, _, _ = concluded(a_deployment(**wish))
    there = {each.instance_id: an_instance(each) for each in deployment.replicas}
    return concluded(changed(deployment, **wish, model="org/other"), there)[0], there


def added(facts: list[e.OfTheScaler]) -> list[int]:
    """The revisions of what came."""
    return [fact.revision for fact in facts if isinstance(fact, e.ReplicaAdded)]


def test_while_nothing_of_the_new_revision_has_settled_only_a_surge_of_it_comes() -> None:
    deployment, there = rolling()
    assert [each.revision for each in deployment.staying] == [1, 1, 2]
    lost = deployment.replicas[0]
    fewer = deployment.model_copy(update={"replicas": deployment.replicas[1:]})
    assert added(concluded(fewer, {key: one for key, one in there.items() if key != lost.instance_id})[1]) == []
    more = fewer.model_copy(update={"wish": a_wish(min_replicas=4, model="org/other")})
    assert added(concluded(more, there)[1]) == [1, 1]


def test_a_rollout_that_was_halted_is_not_finished_when_nothing_of_the_former_stays() -> None:
    deployment, _ = rolling(min_replicas=2)
    halted = e.RolloutHalted(
        deployment_id=ID, occurred_at=AT, basis=deployment.version, revision=2, code="startup_failed", message="No."
    )
    idle = evolve(deployment, halted).model_copy(update={"replicas": (), "wanted": 0, "wish": a_wish(min_replicas=0)})
    after, facts, _ = concluded(idle)
    assert (facts, after.serving_revision) == ([], 1)


def test_nothing_comes_after_giving_up_whatever_is_wanted() -> None:
    trouble = Degraded(code="startup_failed", message="No.", since=AT, gave_up=True)
    after, facts, left = concluded(
        with_ready(1, min_replicas=3).model_copy(update={"degraded": trouble, "replicas": ()})
    )
    assert (added(facts), after.wanted, left) == ([], 3, ())


def test_what_leaves_has_its_place_until_nothing_of_it_is_paid_for() -> None:
    deployment = with_ready(2, min_replicas=2, max_replicas=2, surge=1)
    leaving = tuple(each.model_copy(update={"leaving": True, "leaving_since": AT}) for each in deployment.replicas)
    deployment = deployment.model_copy(update={"replicas": leaving})
    draining = {each.instance_id: an_instance(each, Status.DRAINING) for each in leaving}
    assert added(concluded(deployment, draining)[1]) == [1]
    gone = {each.instance_id: an_instance(each, Status.TERMINATED) for each in leaving}
    assert added(concluded(deployment, gone)[1]) == [1, 1]
