"""What follows when a replica is lost, and when nothing helps any more."""

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from shared.deployments import events as e
from shared.deployments.deployment import Deployment
from shared.deployments.failures import PROVEN_S, UNAVAILABLE_S
from shared.deployments.fold import evolve
from shared.deployments.steps import LaunchReplica, Step
from shared.lifecycle.instance import Instance, Resources
from shared.lifecycle.status import Status
from shared.lifecycle.wish import FailedPlace
from tests.deployments.examples import AT, ID, an_instance, changed, concluded, with_ready

NOTHING_PAID: dict[str, Any] = {"resources": Resources(), "zone": None, "instance_type": None, "code": "out_of_stock"}


def replaced(facts: list[e.OfTheScaler]) -> list[e.ReplicaReplaced]:
    return [fact for fact in facts if isinstance(fact, e.ReplicaReplaced)]


def launched(steps: tuple[Step, ...]) -> list[UUID]:
    return [step.replica.instance_id for step in steps if isinstance(step, LaunchReplica)]


def fails(
    deployment: Deployment, times: int, now: datetime = AT, **failure: Any
) -> tuple[Deployment, list[e.OfTheScaler], tuple[Step, ...]]:
    """Its only replica fails so many times in a row, each time as soon as it is launched."""
    facts: list[e.OfTheScaler] = []
    left: tuple[Step, ...] = ()
    for _ in range(times):
        newest = deployment.staying[-1]
        now = max(now, newest.not_before or now)
        failed = {newest.instance_id: an_instance(newest, Status.STARTUP_FAILED, since=now, **failure)}
        deployment, more, left = concluded(deployment, failed, now=now)
        facts += more
    return deployment, facts, left


def test_a_failed_replica_is_replaced_by_the_next_generation_in_its_place() -> None:
    deployment = with_ready(1)
    (former,) = deployment.replicas
    after, facts, left = concluded(deployment, {former.instance_id: an_instance(former, Status.STARTUP_FAILED)})
    (fact,) = replaced(facts)
    assert (fact.ordinal, fact.generation, fact.code) == (0, 2, "startup_timeout")
    assert fact.instance_id == e.replica_id(ID, 1, 0, 2)
    assert launched(left) == [fact.instance_id]
    assert [each.leaving for each in after.replicas] == [True, False]


def test_what_fails_for_a_day_is_tried_once_an_hour_from_then_on() -> None:
    """Such as an empty stock, for weeks: each try is recorded by some events."""
    _, facts, _ = fails(with_ready(1), 400, **NOTHING_PAID)
    tries = replaced(facts)
    began = tries[0].occurred_at
    pauses = {each.occurred_at - began: each.not_before - each.occurred_at for each in tries}
    day = timedelta(days=1)
    assert {pause for passed, pause in pauses.items() if passed > day + timedelta(hours=1)} == {timedelta(hours=1)}
    assert max(pause for passed, pause in pauses.items() if passed < day) == timedelta(minutes=10)
    in_a_week = [each for each in tries if each.occurred_at - began <= 7 * day]
    assert len(in_a_week) <= 150 + 6 * 24


def test_what_somebody_ended_by_hand_is_replaced_and_wastes_nothing() -> None:
    deployment = with_ready(1)
    (former,) = deployment.replicas
    _, facts, _ = concluded(deployment, {former.instance_id: an_instance(former, Status.DRAINING)})
    (fact,) = replaced(facts)
    assert (fact.code, fact.wasted) == ("ended_by_others", 0)
    assert "ended by somebody" in fact.message


def test_a_replica_is_replaced_when_it_has_been_unavailable_for_long() -> None:
    deployment = with_ready(1)
    away = {deployment.replicas[0].instance_id: an_instance(deployment.replicas[0], Status.UNAVAILABLE)}
    late = AT + timedelta(seconds=UNAVAILABLE_S)
    assert replaced(concluded(deployment, away, now=late - timedelta(seconds=1))[1]) == []
    assert [fact.code for fact in replaced(concluded(deployment, away, now=late)[1])] == ["unavailable_too_long"]


def test_a_failure_that_a_place_explains_is_avoided_there() -> None:
    (fact,) = replaced(fails(with_ready(1), 1, code="server_lost")[1])
    assert (fact.avoid, fact.wasted) == ((FailedPlace(zone="a", instance_type="L4"),), 0)
    (fact,) = replaced(fails(with_ready(1), 1, code="out_of_gpu_memory")[1])
    assert fact.avoid == (FailedPlace(instance_type="L4"),)
    (fact,) = replaced(fails(with_ready(1), 1, code="startup_timeout")[1])
    assert (fact.avoid, fact.wasted) == ((), 1)


def test_a_second_failure_at_a_place_that_was_to_be_avoided_is_not_explained_by_it() -> None:
    assert [fact.wasted for fact in replaced(fails(with_ready(1), 3, code="server_lost")[1])] == [0, 1, 2]


def test_each_failure_in_a_row_is_waited_for_longer() -> None:
    facts = replaced(fails(with_ready(1), 9, **NOTHING_PAID)[1])
    pauses = [(fact.not_before - fact.occurred_at).total_seconds() for fact in facts]
    assert pauses == [0, 30, 60, 120, 240, 480, 600, 600, 600]


def test_a_replica_is_not_launched_before_its_time() -> None:
    deployment, _, left = fails(with_ready(1), 2)
    assert launched(left) == []
    newest = deployment.staying[-1]
    assert newest.not_before is not None
    assert launched(concluded(deployment, {}, now=newest.not_before)[2]) == [newest.instance_id]


def test_failures_of_long_ago_count_no_more() -> None:
    deployment, _, _ = fails(with_ready(1), 2)
    newest = deployment.staying[-1]
    for ready_s, failures, wasted in ((PROVEN_S, 1, 0), (PROVEN_S - 1, 3, 3)):
        ended_at = AT + timedelta(hours=1)
        ready_at = ended_at - timedelta(seconds=ready_s)
        failed = an_instance(newest, Status.FAILED, since=ended_at, ready_at=ready_at, code="unavailable_too_long")
        facts = concluded(deployment, {newest.instance_id: failed}, now=ended_at)[1]
        assert [(fact.failures, fact.wasted) for fact in replaced(facts)] == [(failures, wasted)]


def test_nothing_more_is_ordered_after_three_failures_that_cost_something_and_no_place_explains() -> None:
    deployment, facts, left = fails(with_ready(1), 3)
    degraded = [fact for fact in facts if isinstance(fact, e.DeploymentDegraded)]
    assert [(fact.gave_up, fact.code) for fact in degraded] == [(False, "startup_timeout"), (True, "startup_timeout")]
    assert "until somebody changes, restarts or resumes" in degraded[-1].message
    for later in (timedelta(0), timedelta(days=30)):
        assert concluded(deployment, {}, now=AT + later)[1:][-1] == ()
    assert left == ()


def test_several_replicas_that_fail_together_are_given_up_together() -> None:
    deployment = with_ready(5)
    failed = {each.instance_id: an_instance(each, Status.STARTUP_FAILED) for each in deployment.replicas}
    after, _, left = concluded(deployment, failed)
    assert after.degraded is not None
    assert (after.degraded.gave_up, launched(left)) == (True, [])


def test_what_costs_nothing_is_tried_for_ever_and_told_once() -> None:
    deployment, facts, _ = fails(with_ready(1), 12, **NOTHING_PAID)
    degraded = [fact for fact in facts if isinstance(fact, e.DeploymentDegraded)]
    assert [(fact.gave_up, fact.code) for fact in degraded] == [(False, "out_of_stock")]
    later = AT + timedelta(days=1)
    assert launched(concluded(deployment, {}, now=later)[2]) == [deployment.staying[-1].instance_id]


def test_who_resumes_asks_for_another_try() -> None:
    deployment, _, _ = fails(with_ready(1), 3)
    resumed = evolve(deployment, e.DeploymentResumed(deployment_id=ID, occurred_at=AT))
    _, facts, left = concluded(resumed, {})
    assert (facts, launched(left)) == ([], [deployment.staying[-1].instance_id])


def test_it_has_recovered_when_as_many_are_ready_as_wanted() -> None:
    deployment, _, _ = fails(with_ready(1), 2)
    assert deployment.degraded is not None
    newest = deployment.staying[-1]
    after, facts, _ = concluded(deployment, {newest.instance_id: an_instance(newest)})
    assert [fact.type() for fact in facts if not isinstance(fact, e.ReplicaEnded)] == ["DeploymentRecovered"]
    assert after.degraded is None


def rolling(**overrides: Any) -> tuple[Deployment, dict[UUID, Instance]]:
    """Two of the first revision are ready, and one of the second is on its way."""
    deployment = with_ready(2, min_replicas=2)
    instances = {each.instance_id: an_instance(each) for each in deployment.replicas}
    after, _, _ = concluded(changed(deployment, min_replicas=2, model="org/other", **overrides), instances)
    return after, instances


@pytest.mark.parametrize("code", ["startup_timeout", "install_failed"])
def test_a_new_revision_whose_failure_no_place_explains_halts_at_once_and_the_former_stays(code: str) -> None:
    deployment, instances = rolling()
    new = deployment.staying[-1]
    instances |= {new.instance_id: an_instance(new, Status.STARTUP_FAILED, code=code)}
    after, facts, left = concluded(deployment, instances)
    assert [fact.type() for fact in facts] == ["RolloutHalted", "ReplicaRemoved"]
    assert [each.revision for each in after.staying] == [1, 1]
    assert left == ()


def test_a_new_revision_has_one_further_try_where_its_place_explains_the_failure() -> None:
    deployment, instances = rolling()
    for kind in (["ReplicaReplaced"], ["RolloutHalted", "ReplicaRemoved"]):
        new = deployment.staying[-1]
        instances |= {new.instance_id: an_instance(new, Status.FAILED, code="server_lost")}
        deployment, facts, _ = concluded(deployment, instances)
        assert [fact.type() for fact in facts if not isinstance(fact, e.ReplicaEnded)] == kind


def test_a_new_replica_that_served_and_was_ended_by_others_halts_nothing() -> None:
    deployment, instances = rolling()
    new = deployment.staying[-1]
    ended = an_instance(new, Status.TERMINATED)
    assert len(replaced(concluded(deployment, instances | {new.instance_id: ended})[1])) == 1
    served = AT - timedelta(seconds=PROVEN_S)
    lost = an_instance(new, Status.FAILED, ready_at=served, code="unavailable_too_long")
    assert len(replaced(concluded(deployment, instances | {new.instance_id: lost})[1])) == 1


def test_once_one_of_the_new_has_settled_another_one_has_a_further_try() -> None:
    deployment, instances = rolling()
    instances |= {deployment.staying[-1].instance_id: an_instance(deployment.staying[-1])}
    later = AT + timedelta(minutes=1)
    proven, _, _ = concluded(deployment, instances, now=later)
    second = proven.staying[-1]
    failed = an_instance(second, Status.STARTUP_FAILED, since=later)
    assert second.instance_id not in instances
    assert len(replaced(concluded(proven, instances | {second.instance_id: failed}, now=later)[1])) == 1


def test_a_rollout_does_not_halt_where_nothing_of_the_former_is_ready() -> None:
    deployment, instances = rolling()
    gone = {of: an_instance(of, Status.UNAVAILABLE) for of in instances}
    for _ in range(2):
        new = deployment.staying[-1]
        failed = an_instance(new, Status.STARTUP_FAILED)
        deployment, facts, _ = concluded(deployment, gone | {new.instance_id: failed})
        assert not any(isinstance(fact, e.RolloutHalted) for fact in facts)


def test_a_new_revision_that_is_refused_for_long_halts_with_the_reason() -> None:
    deployment, instances = rolling()
    new = deployment.staying[-1]
    refusal = e.ReplicaRefused(
        deployment_id=ID,
        occurred_at=AT,
        basis=deployment.version,
        instance_id=new.instance_id,
        code="limit",
        message="No.",
    )
    refused = evolve(deployment, refusal)
    assert concluded(refused, instances, now=AT + timedelta(seconds=299))[1] == []
    facts = concluded(refused, instances, now=AT + timedelta(seconds=300))[1]
    assert [fact.code for fact in facts if isinstance(fact, e.RolloutHalted)] == ["limit"]


def test_after_a_halt_it_scales_with_the_revision_that_serves() -> None:
    deployment, instances = rolling()
    new = deployment.staying[-1]
    instances |= {new.instance_id: an_instance(new, Status.STARTUP_FAILED)}
    halted, _, _ = concluded(deployment, instances)
    more = changed(halted, min_replicas=3, model="org/other")
    _, facts, left = concluded(more, instances)
    assert [fact.revision for fact in facts if isinstance(fact, e.ReplicaAdded)] == [1]
    assert len(launched(left)) == 1


def test_a_further_change_after_a_halt_begins_a_new_rollout() -> None:
    deployment, instances = rolling()
    new = deployment.staying[-1]
    halted, _, _ = concluded(deployment, instances | {new.instance_id: an_instance(new, Status.STARTUP_FAILED)})
    _, facts, _ = concluded(changed(halted, min_replicas=2, model="org/third"), instances)
    assert [(fact.revision, fact.former) for fact in facts if isinstance(fact, e.RolloutStarted)] == [(3, 1)]
