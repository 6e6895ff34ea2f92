"""What follows from a look beside the plan."""

from datetime import timedelta
from uuid import uuid4

import pytest

from services.scaler.look import pause_s, refused
from services.scaler.settings import ScalerSettings
from shared.deployments.deployment import Degraded, Deployment, DeploymentTrouble, Replica, RolloutState
from shared.launching import LaunchReply
from shared.lifecycle.status import Status
from tests.deployments.examples import AT, a_deployment, an_instance
from tests.scaler.world import a_pace

PACE: ScalerSettings = a_pace(moving_look_seconds=10, steady_look_seconds=30)
LIMIT = LaunchReply(outcome="refused", code="limit_reached", message="3 of 3 instances.")


def with_replicas(*replicas: Replica) -> Deployment:
    return a_deployment().model_copy(update={"replicas": replicas, "wanted": len(replicas)})


def a_replica(**overrides: object) -> Replica:
    fields = {"ordinal": 0, "revision": 1, "generation": 1, "instance_id": uuid4()}
    return Replica.model_validate(fields | overrides)


def test_a_refusal_is_told_unless_one_of_the_same_code_was() -> None:
    told = DeploymentTrouble(code="limit_reached", message="2 of 2 instances.", since=AT)
    first, second = a_replica(refusal=told), a_replica(ordinal=1)
    event = refused(with_replicas(first, second), lambda _: LIMIT, AT)
    assert event is not None
    assert (event.instance_id, event.code, event.message) == (second.instance_id, "limit_reached", "3 of 3 instances.")
    assert event.ordinal == 1
    assert refused(with_replicas(first), lambda _: LIMIT, AT) is None


def test_what_was_launched_is_refused_nothing_and_another_refusal_is_told_anew() -> None:
    told = DeploymentTrouble(code="out_of_stock", message="None left.", since=AT)
    replies = [None, LaunchReply(outcome="launched"), LaunchReply(outcome="refused", code="limit_reached")]
    replicas = [a_replica(ordinal=number, refusal=told) for number in range(3)]
    event = refused(with_replicas(*replicas), lambda replica: replies[replica.ordinal], AT)
    assert event is not None
    assert (event.ordinal, event.code, event.message) == (2, "limit_reached", "limit_reached")


def test_who_leaves_is_refused_nothing() -> None:
    assert refused(with_replicas(a_replica(leaving=True)), lambda _: LIMIT, AT) is None


@pytest.mark.parametrize(
    ("replica", "status", "load"),
    [
        (a_replica(), Status.STARTING, 0.0),
        (a_replica(leaving=True), Status.DRAINING, 0.0),
        (a_replica(leaving=True), Status.READY, 0.0),
        (a_replica(), Status.READY, 1.0),
    ],
)
def test_what_moves_is_looked_at_more_often(replica: Replica, status: Status, load: float) -> None:
    instances = {replica.instance_id: an_instance(replica, status)}
    assert pause_s(with_replicas(replica), instances, load, PACE, AT) == 10


def test_what_is_rolled_out_or_degraded_is_looked_at_more_often() -> None:
    replica = a_replica()
    deployment, instances = with_replicas(replica), {replica.instance_id: an_instance(replica)}
    rolled = deployment.model_copy(update={"rollout": RolloutState(revision=2, former=1, since=AT)})
    troubled = Degraded(code="out_of_stock", message="None left.", since=AT)
    degraded = deployment.model_copy(update={"degraded": troubled})
    assert [pause_s(each, instances, 0.0, PACE, AT) for each in (rolled, degraded)] == [10, 10]


def test_what_stands_still_is_looked_at_at_some_time_in_the_second_half_of_the_pause() -> None:
    replica = a_replica()
    instances = {replica.instance_id: an_instance(replica)}
    assert 15 <= pause_s(with_replicas(replica), instances, 0.0, PACE, AT) <= 30


def test_the_pause_ends_when_a_replica_may_be_launched_again() -> None:
    soon = a_replica(not_before=AT + timedelta(seconds=3))
    past = a_replica(ordinal=1, not_before=AT - timedelta(seconds=3))
    assert pause_s(with_replicas(soon, past), {}, 0.0, PACE, AT) == 3
