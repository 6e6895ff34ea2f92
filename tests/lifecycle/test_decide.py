"""Given a status, whether an intent becomes a fact or is refused, and with what reason."""

from collections.abc import Callable
from datetime import datetime
from typing import Any

import pytest

from shared.lifecycle import decide
from shared.lifecycle.errors import InstanceConflict, IntentRefused, LifecycleError
from shared.lifecycle.events import DrainRequested, Event, TerminationRequested
from shared.lifecycle.instance import Instance
from shared.lifecycle.status import ENDING, Status
from tests.lifecycle import facts as f
from tests.lifecycle import histories as h
from tests.lifecycle.facts import Facts, given

Decide = Callable[[Instance, datetime], Event]

ALLOWED: dict[str, tuple[Decide, set[Status]]] = {
    "drain": (decide.drain, {Status.READY, Status.UNAVAILABLE}),
    "terminate": (decide.terminate, set(Status) - {Status.TERMINATING, Status.TERMINATED, Status.ARCHIVED}),
    "end": (decide.end, set(Status) - ENDING),
    "reinstall": (decide.reinstall, {Status.INSTALLING, Status.STARTING, Status.READY, Status.UNAVAILABLE}),
    "archive": (decide.archive, {Status.TERMINATED}),
}


@pytest.mark.parametrize("status", Status)
@pytest.mark.parametrize("intent", ALLOWED)
def test_an_intent_becomes_a_fact_or_is_refused_with_a_reason(intent: str, status: Status) -> None:
    decided, allowed = ALLOWED[intent]
    instance = given(*h.IN_STATUS[status])
    if status in allowed:
        fact = decided(instance, f.AT)
        assert (fact.instance_id, fact.occurred_at) == (instance.id, f.AT)
        return
    with pytest.raises(IntentRefused) as refused:
        decided(instance, f.AT)
    assert refused.value.intent == intent
    assert refused.value.reason.endswith(".")
    assert isinstance(refused.value, LifecycleError)


@pytest.mark.parametrize("status", Status)
def test_the_possible_actions_are_those_that_are_not_refused(status: Status) -> None:
    expected = [intent for intent in decide.Intent if status in ALLOWED[intent][1]]
    assert list(decide.possible_actions(given(*h.IN_STATUS[status]), f.AT)) == expected


@pytest.mark.parametrize(
    ("history", "expected"),
    [
        ((*h.a_failed_start(), f.resources_released()), {"terminate", "archive"}),
        (h.a_failed_start(keep=True), {"terminate", "reinstall"}),
        ((*h.a_terminated_instance(), f.volume_found(volume_id="late")), set()),
    ],
    ids=["a released failure", "one kept for inspection", "terminated, with a volume found later"],
)
def test_the_possible_actions_depend_on_more_than_the_status(history: Facts, expected: set[str]) -> None:
    assert set(decide.possible_actions(given(*history), f.AT)) == expected


@pytest.mark.parametrize("status", sorted(set(Status) - ENDING))
def test_what_serves_is_ended_by_a_drain_and_what_starts_by_a_termination(status: Status) -> None:
    ended = decide.end(given(*h.IN_STATUS[status]), f.AT)
    serves = status in {Status.READY, Status.UNAVAILABLE}
    assert isinstance(ended, DrainRequested if serves else TerminationRequested)


def test_a_first_request_is_its_own_fact() -> None:
    requested = f.instance_requested()
    assert decide.request(None, requested) is requested


def test_the_same_request_again_is_no_new_fact() -> None:
    assert decide.request(given(*h.a_ready_instance()), f.instance_requested()) is None


def test_another_request_under_the_same_id_is_a_conflict() -> None:
    other = f.instance_requested(specification=f.a_specification(model="BAAI/bge-m3", task="embed"))
    with pytest.raises(InstanceConflict) as conflict:
        decide.request(given(f.instance_requested()), other)
    assert conflict.value.instance_id == f.INSTANCE_ID


@pytest.mark.parametrize(
    "found_out", [{"gpu_memory_gb": 1.0}, {"max_hourly_price": 2.0}, {"gated": True}, {"warnings": ("tight",)}]
)
def test_the_same_request_is_no_other_when_more_was_found_out_of_its_model_or_its_limits(
    found_out: dict[str, Any],
) -> None:
    later = f.instance_requested(**f.asked(**found_out))
    assert decide.request(given(f.instance_requested()), later) is None
    assert decide.request(given(later), f.instance_requested()) is None


def test_a_reinstall_opens_the_next_attempt() -> None:
    assert decide.reinstall(given(*h.a_ready_instance()), f.AT).attempt == 2
    again = given(*h.a_reinstalled_instance())
    assert decide.reinstall(again, f.AT).attempt == 3


def test_a_failed_start_can_be_reinstalled_only_when_it_was_kept() -> None:
    assert decide.reinstall(given(*h.a_failed_start(keep=True)), f.AT).attempt == 2
    with pytest.raises(IntentRefused, match="being released"):
        decide.reinstall(given(*h.a_failed_start(keep=False)), f.AT)


@pytest.mark.parametrize(
    "history",
    [(*h.a_failed_start(keep=True), f.resources_released()), (f.instance_requested(), *h.an_installing_instance()[4:])],
    ids=["released", "never recorded"],
)
def test_a_reinstall_needs_a_server(history: Facts) -> None:
    with pytest.raises(IntentRefused, match="no server any more"):
        decide.reinstall(given(*history), f.AT)


@pytest.mark.parametrize("status", [Status.PROVISIONING_FAILED, Status.STARTUP_FAILED, Status.FAILED])
def test_a_failed_instance_is_archived_once_it_is_released(status: Status) -> None:
    history = h.IN_STATUS[status]
    with pytest.raises(IntentRefused, match="may still exist"):
        decide.archive(given(*history), f.AT)
    assert decide.archive(given(*history, f.resources_released()), f.AT).type() == "InstanceArchived"


def test_a_terminated_instance_with_something_found_later_is_not_archived_yet() -> None:
    found = given(*h.a_terminated_instance(), f.volume_found(volume_id="late"))
    with pytest.raises(IntentRefused, match="may still exist"):
        decide.archive(found, f.AT)


def test_a_kept_instance_can_be_terminated() -> None:
    assert decide.terminate(given(*h.a_failed_start(keep=True)), f.AT).type() == "TerminationRequested"
