"""What keeps a replica from being ready, and which of several is told."""

from datetime import timedelta
from typing import Any, Final

from shared.deployments.delays import ReplicaDelay, delay_of, delays
from shared.deployments.deployment import DeploymentTrouble, Replica
from shared.deployments.events import replica_id
from shared.description import Description
from shared.lifecycle.fact import Action
from shared.lifecycle.instance import Instance
from tests.deployments.examples import AT, ID
from tests.lifecycle import facts as f
from tests.lifecycle import histories as h
from tests.lifecycle.facts import Facts

SOON: Final = AT + timedelta(minutes=5)
TROUBLE: Final = DeploymentTrouble(code="limit_reached", message="2 of 2 instances.", since=AT)
LOCKED: Final = f.action_delayed(
    action=Action.INSTALL, code="waiting", reason="waits for the package manager's lock", next_try_at=SOON
)


def a_replica(ordinal: int = 0, revision: int = 1, **more: Any) -> Replica:
    instance_id = replica_id(ID, revision, ordinal, 1)
    return Replica(ordinal=ordinal, revision=revision, generation=1, instance_id=instance_id, **more)


def described(history: Facts) -> tuple[Description, Instance]:
    instance = f.given(*history)
    return Description.of(instance, AT), instance


def test_an_instance_whose_action_is_tried_again_says_why_and_since_when_it_got_no_further() -> None:
    replica = a_replica(1, revision=2)
    description, instance = described((*h.an_installing_instance(), LOCKED))
    assert delay_of([replica], {replica.instance_id: description}) == ReplicaDelay(
        ordinal=1,
        revision=2,
        code="waiting",
        reason="waits for the package manager's lock",
        since=instance.progress_since,
        next_try_at=SOON,
    )


def test_an_instance_that_goes_on_is_not_held_up_whatever_was_before_it() -> None:
    replica = a_replica(failure=TROUBLE, failures=1, not_before=AT)
    for history in (h.an_installing_instance(), h.a_ready_instance()):
        assert delay_of([replica], {replica.instance_id: described(history)[0]}) is None


def test_a_replica_that_is_not_launched_says_why_and_from_when_on_it_may_be() -> None:
    refused, failed = a_replica(refusal=TROUBLE, failure=TROUBLE), a_replica(1, failure=TROUBLE, not_before=SOON)
    told = [(delay.ordinal, delay.code, delay.since, delay.next_try_at) for delay in delays([refused, failed], {})]
    assert told == [(0, "limit_reached", AT, None), (1, "limit_reached", AT, SOON)]
    assert delays([a_replica(), a_replica(1, refusal=TROUBLE, leaving=True)], {}) == []


def test_the_first_of_the_newest_revision_is_told() -> None:
    of = [a_replica(ordinal, revision, refusal=TROUBLE) for ordinal, revision in ((0, 1), (2, 2), (1, 2))]
    told = delay_of(of, {})
    assert told is not None
    assert (told.ordinal, told.words) == (2, "replica 2: 2 of 2 instances.")
