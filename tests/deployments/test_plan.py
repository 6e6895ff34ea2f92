"""What is done for a deployment, in the order in which it is decided."""

from datetime import timedelta
from typing import Any

import pytest

from shared.deployments import events as e
from shared.deployments.fold import evolve
from shared.deployments.load import Demand
from shared.deployments.plan import LAUNCH_S
from shared.deployments.steps import LaunchReplica
from shared.lifecycle.instance import Resources
from shared.lifecycle.status import Status
from tests.deployments.examples import AT, ID, a_deployment, an_instance, changed, concluded, with_ready


def test_a_new_deployment_launches_as_many_replicas_as_are_asked_for() -> None:
    _, facts, left = concluded(a_deployment(min_replicas=2))
    assert [fact.type() for fact in facts] == ["DeploymentScaled", "ReplicaAdded", "ReplicaAdded"]
    assert [type(step) for step in left] == [LaunchReplica, LaunchReplica]


def test_what_is_as_wanted_is_left_alone() -> None:
    deployment, _, _ = concluded(a_deployment(min_replicas=2))
    assert concluded(deployment, {each.instance_id: an_instance(each) for each in deployment.replicas})[1:] == ([], ())


def test_a_changed_template_is_brought_up_before_anything_of_the_former_goes() -> None:
    deployment, _, _ = concluded(a_deployment(min_replicas=2))
    instances = {each.instance_id: an_instance(each) for each in deployment.replicas}
    _, facts, left = concluded(changed(deployment, min_replicas=2, model="org/other"), instances)
    assert [fact.type() for fact in facts] == ["RolloutStarted", "ReplicaAdded"]
    assert [step.replica.revision for step in left if isinstance(step, LaunchReplica)] == [2]


def test_an_old_replica_goes_when_a_new_one_has_held() -> None:
    deployment, _, _ = concluded(a_deployment(min_replicas=2))
    instances = {each.instance_id: an_instance(each) for each in deployment.replicas}
    rolling, _, _ = concluded(changed(deployment, min_replicas=2, model="org/other"), instances)
    new = rolling.replicas[-1]
    instances |= {new.instance_id: an_instance(new)}
    assert concluded(rolling, instances, now=AT + timedelta(seconds=29))[1] == []
    _, facts, _ = concluded(rolling, instances, now=AT + timedelta(seconds=30))
    assert [fact.instance_id for fact in facts if isinstance(fact, e.ReplicaRemoved)] == [
        deployment.replicas[0].instance_id
    ]


def test_a_rollback_keeps_what_serves_and_ends_the_rest() -> None:
    deployment, _, _ = concluded(a_deployment(min_replicas=2))
    instances = {each.instance_id: an_instance(each) for each in deployment.replicas}
    rolling, _, _ = concluded(changed(deployment, min_replicas=2, model="org/other"), instances)
    new = rolling.replicas[-1].instance_id
    back, facts, left = concluded(changed(rolling, min_replicas=2), instances)
    assert [fact.instance_id for fact in facts if isinstance(fact, e.ReplicaRemoved)] == [new]
    assert (len(facts), left, back.rollout) == (1, (), None)
    assert {each.instance_id for each in back.staying} == set(instances)


def test_one_that_wakes_again_gets_an_instance_that_never_was() -> None:
    first, _, _ = concluded(a_deployment(min_replicas=0), demand=Demand(known=True, held=1))
    idle = changed(first, min_replicas=0).model_copy(update={"replicas": (), "wanted": 0})
    again, _, _ = concluded(idle, demand=Demand(known=True, held=1))
    assert [each.generation for each in (*first.replicas, *again.replicas)] == [1, 2]
    assert first.replicas[0].instance_id != again.replicas[0].instance_id


def test_what_was_never_launched_is_over_when_no_launch_can_be_on_its_way_any_more() -> None:
    deployment, _, _ = concluded(a_deployment(min_replicas=1))
    paused = evolve(deployment, e.DeploymentPaused(deployment_id=ID, occurred_at=AT))
    left, _, _ = concluded(paused, now=AT + timedelta(seconds=LAUNCH_S - 1))
    left, facts, _ = concluded(left, now=AT + timedelta(seconds=LAUNCH_S - 1))
    assert (facts, len(left.replicas)) == ([], 1)
    since = left.replicas[0].leaving_since
    assert since is not None
    over, _, _ = concluded(left, now=since + timedelta(seconds=LAUNCH_S))
    assert over.replicas == ()


@pytest.mark.parametrize(
    ("status", "resources", "over"),
    [
        (Status.TERMINATED, {}, True),
        (Status.TERMINATING, {"released": True}, True),
        (Status.TERMINATING, {"server_gone": True}, True),
        (Status.TERMINATING, {"server_gone": True, "duplicate_server_ids": ("second",)}, False),
        (Status.TERMINATING, {}, False),
        (Status.FAILED, {}, False),
        (Status.DRAINING, {}, False),
        (Status.UNAVAILABLE, {"server_gone": True}, False),
    ],
)
def test_what_leaves_is_over_once_nothing_of_it_is_paid_for(
    status: Status, resources: dict[str, Any], *, over: bool
) -> None:
    deployment, _, _ = concluded(a_deployment(min_replicas=1))
    instance_id = deployment.replicas[0].instance_id
    there = {instance_id: an_instance(instance_id, status, resources=Resources(server_id="server", **resources))}
    paused = evolve(deployment, e.DeploymentPaused(deployment_id=ID, occurred_at=AT))
    left, _, _ = concluded(paused, there, now=AT + timedelta(hours=1))
    assert (left.replicas == ()) is over


def test_what_left_before_its_time_was_noted_is_over_if_it_was_never_launched() -> None:
    leaving = with_ready(1).replicas[0].model_copy(update={"leaving": True, "leaving_since": None})
    left, _, _ = concluded(a_deployment(min_replicas=0).model_copy(update={"replicas": (leaving,)}))
    assert left.replicas == ()


def test_a_pause_ends_no_rollout_and_what_it_would_have_brought_serves_nobody() -> None:
    deployment, _, _ = concluded(a_deployment(min_replicas=1))
    there = {each.instance_id: an_instance(each) for each in deployment.replicas}
    rolling, _, _ = concluded(changed(deployment, min_replicas=1, model="org/other"), there)
    paused, facts, _ = concluded(evolve(rolling, e.DeploymentPaused(deployment_id=ID, occurred_at=AT)), there)
    assert {fact.type() for fact in facts} == {"DeploymentScaled", "ReplicaRemoved"}
    assert (paused.serving_revision, paused.rollout) == (1, rolling.rollout)


def test_what_a_deleted_deployment_still_has_leaves_when_it_is_created_again() -> None:
    deployment, _, _ = concluded(a_deployment(min_replicas=1))
    deleted = evolve(deployment, e.DeploymentDeleted(deployment_id=ID, occurred_at=AT))
    created = e.DeploymentCreated(deployment_id=ID, occurred_at=AT, wish=deployment.wish, revision=2)
    again, facts, _ = concluded(evolve(deleted, created))
    assert [(each.revision, each.leaving) for each in again.replicas] == [(1, True), (2, False)]
    assert [fact.type() for fact in facts] == ["DeploymentScaled", "ReplicaAdded"]


def test_a_lowered_maximum_does_not_stand_in_the_way_of_a_rollout() -> None:
    deployment = with_ready(2, min_replicas=1, max_replicas=2)
    instances = {each.instance_id: an_instance(each) for each in deployment.replicas}
    _, facts, _ = concluded(changed(deployment, min_replicas=1, max_replicas=1, model="org/other"), instances)
    removed = [fact.reason for fact in facts if isinstance(fact, e.ReplicaRemoved)]
    assert removed == ["scaled"]
