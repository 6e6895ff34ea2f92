import pytest

from shared.deployments.decide import DeploymentIntent
from shared.deployments.events import DEPLOYMENT_EVENTS, DeploymentEvent
from shared.deployments.words import CONSEQUENCES, in_words
from tests.deployments import facts as f

EXAMPLES: tuple[DeploymentEvent, ...] = (
    f.deployment_created(),
    f.deployment_changed(),
    f.deployment_changed(why="restarted"),
    f.deployment_changed(why="rolled_back"),
    f.deployment_paused(),
    f.deployment_resumed(),
    f.deployment_deleted(),
    f.deployment_scaled(),
    f.replica_added(),
    f.replica_replaced(),
    f.replica_removed(),
    f.replica_ended(),
    f.replica_refused(),
    f.deployment_degraded(),
    f.deployment_degraded(gave_up=True),
    f.deployment_recovered(),
    f.rollout_started(),
    f.rollout_finished(),
    f.rollout_halted(),
)


def test_every_event_and_every_intent_has_its_words() -> None:
    assert {type(example) for example in EXAMPLES} == set(DEPLOYMENT_EVENTS.values())
    assert len({in_words(example) for example in EXAMPLES}) == len(EXAMPLES)
    assert CONSEQUENCES.keys() == set(DeploymentIntent)


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example.type())
def test_a_reason_is_said(example: DeploymentEvent) -> None:
    assert getattr(example, "message", "") in in_words(example)


def test_figures_are_said_as_people_count() -> None:
    assert in_words(f.deployment_scaled(before=1, after=3)) == "1 → 3 replicas: why it is so"
    assert in_words(f.deployment_created()) == "created, with 0 to 1 replica"
    assert in_words(f.deployment_created(wish=f.a_wish(min_replicas=2, max_replicas=2))) == "created, with 2 replicas"
    assert in_words(f.replica_replaced(failures=2)) == "replica 0 is replaced, after 2 failures: why it is so"
    assert in_words(f.replica_refused(ordinal=2)) == "the launch of replica 2 was refused: why it is so"
    assert in_words(f.replica_refused()) == "a launch was refused: why it is so", "recorded before the ordinal was"
    assert in_words(f.deployment_degraded(gave_up=True)) == "1 of 2 ready, given up: why it is so"
