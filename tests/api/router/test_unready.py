"""The answer while no instance of a model is ready: of a launch that is held up, and of a deployment that wakes."""

import math
from datetime import datetime, timedelta
from typing import Final

import pytest

from services.api.deployments.waking import why_it_does_not_wake
from services.api.router.refusal import Refusal
from shared.deployments.deployment import Deployment
from shared.deployments.events import DeploymentEvent
from shared.description import Description
from shared.lifecycle.events import Event
from shared.lifecycle.fact import Action
from shared.lifecycle.instance import Instance
from shared.lifecycle.status import Status
from tests.api.deployments import examples as x
from tests.api.deployments.examples import a_deployment, after
from tests.api.router.desk import Desk, replica_of
from tests.lifecycle import facts as f
from tests.lifecycle import histories as h
from tests.lifecycle.facts import Facts

MODEL: Final = f.a_specification().model
SAID: Final = "waits for the package manager's lock"
NEXT: Final = f.AT + timedelta(hours=1, seconds=30)
DELAYED: Final = f.action_delayed(action=Action.INSTALL, code="waiting", reason=SAID, next_try_at=NEXT)


def refused(at: datetime, *history: Event) -> Refusal:
    desk = Desk()
    desk.knows(f.given(*history))
    return desk.unready.refusal(MODEL, None, at)


@pytest.mark.parametrize(
    ("before", "retry_after", "again"),
    [(10, "30", "next try at 13:00:30 UTC"), (90, "90", "next try at 13:00:30 UTC"), (0, "30", "trying again")],
)
def test_it_says_what_holds_the_launch_up_and_not_to_come_back_before_the_next_try(
    before: float, retry_after: str, again: str
) -> None:
    history = (*h.an_installing_instance(), DELAYED)
    at = NEXT - timedelta(seconds=before)
    refusal = refused(at, *history)
    described = Description.of(f.given(*history), at).model_dump(mode="json")
    assert refusal.more["delay"] == described["delay"]
    assert (refusal.more["delay"]["reason"], refusal.more["eta"]) == (SAID, None)
    assert refusal.headers == {"Retry-After": retry_after}
    assert refusal.message == (
        f"{MODEL} is not ready: its instance is installing, {described['progress_percent']} %: {SAID} ({again})."
    )


def test_without_a_delay_it_has_an_estimate() -> None:
    refusal = refused(f.AT, *h.an_installing_instance())
    assert refusal.more["delay"] is None
    assert refusal.more["eta"] is not None
    assert refusal.message.endswith(" %.")


CHAT = a_deployment()


def about(deployment: Deployment, *instances: Instance, waited: bool = False) -> Refusal:
    desk = Desk()
    desk.knows(deployment, *instances)
    return desk.unready.refusal(MODEL, None, f.AT, deployment.id if waited else None)


def test_of_a_deployment_that_has_no_instance_yet_it_says_how_long_a_launch_takes() -> None:
    refusal = about(CHAT)
    assert refusal.message == f"{MODEL} is not ready: its deployment chat is waking."
    assert refusal.more["eta"]["p50_seconds"] > 60
    assert refusal.headers == {"Retry-After": str(math.ceil(refusal.more["eta"]["p50_seconds"]))}
    shown = {"id": str(CHAT.id), "name": "chat", "status": "active", "wanted": 0, "trouble": None, "delay": None}
    assert refusal.more["deployment"] == shown
    assert refusal.more["instance_id"] is None


def test_of_a_deployment_whose_replicas_are_all_held_up_it_says_by_what_and_when_the_next_try_is() -> None:
    again = f.AT + timedelta(seconds=90)
    failed = after(CHAT, x.scaled(2), x.added(), x.replaced("no L4 in any zone", again))
    refusal = about(failed)
    said = "no L4 in any zone (next try at 12:01:30 UTC)"
    assert refusal.message == f"{MODEL} is not ready: its deployment chat is waking: {said}."
    assert refusal.more["deployment"]["delay"]["reason"] == "no L4 in any zone"
    assert (refusal.more["eta"], refusal.headers) == (None, {"Retry-After": "90"})
    another = about(after(failed, x.added(ordinal=1)))
    assert (another.message, another.more["deployment"]["delay"]) == (about(CHAT).message, None)
    assert another.more["eta"] is not None


def test_of_a_deployment_with_an_instance_it_says_how_far_that_is() -> None:
    instance = replica_of(CHAT, h.an_installing_instance())
    refusal = about(CHAT, instance)
    assert (refusal.more["instance_id"], refusal.more["status"]) == (str(instance.id), "installing")
    assert refusal.more["deployment"]["name"] == "chat"
    assert refusal.more["eta"] is not None


@pytest.mark.parametrize("event", [x.paused(), x.degraded(gave_up=True)])
@pytest.mark.parametrize("history", [(), h.an_installing_instance(), h.a_ready_instance()])
def test_of_one_that_does_not_wake_it_says_why_and_that_trying_again_does_not_help(
    event: DeploymentEvent, history: Facts
) -> None:
    deployment = after(CHAT, event)
    refusal = about(deployment, *([replica_of(CHAT, history)] if history else []))
    trouble = why_it_does_not_wake(deployment, f.AT)
    assert trouble is not None
    assert refusal.message == f"{MODEL} is not ready: its deployment chat {trouble.message}"
    assert refusal.more["deployment"]["trouble"] == {"code": trouble.code, "message": trouble.message}
    assert refusal.headers["x-should-retry"] == "false"
    assert refusal.more["eta"] is None


def test_a_deleted_deployment_is_told_of_only_to_those_who_have_waited_for_it() -> None:
    gone = after(CHAT, x.deleted())
    assert "its deployment chat was deleted." in about(gone, waited=True).message
    assert about(gone).message.startswith("No instance serves")
    assert about(gone).more["deployment"] is None


def test_a_machine_on_its_way_counts_before_a_deployment_that_does_not_wake_and_a_failed_one_after_one_that_does() -> (
    None
):
    on_its_way, failed = f.given(*h.an_installing_instance()), f.given(*h.IN_STATUS[Status.STARTUP_FAILED])
    assert "its instance is installing" in about(after(CHAT, x.paused()), on_its_way).message
    assert "x-should-retry" not in about(after(CHAT, x.paused()), on_its_way).headers
    assert "is waking" in about(CHAT, failed).message


def test_a_replica_of_one_that_does_not_wake_is_not_awaited_however_far_it_is() -> None:
    further, slower = replica_of(CHAT, h.a_starting_instance()), f.given(*h.an_installing_instance())
    refusal = about(after(CHAT, x.paused()), further, slower)
    assert refusal.more["instance_id"] == str(slower.id)
