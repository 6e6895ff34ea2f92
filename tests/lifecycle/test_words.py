"""What is said of an instance, for every status it can be in."""

from datetime import timedelta

import pytest

from shared.description import Description
from shared.lifecycle.fact import Action
from shared.lifecycle.fold import evolve
from shared.lifecycle.instance import Instance
from shared.lifecycle.progress import LABELS
from shared.lifecycle.status import FAILURES, STARTING_UP, Status
from shared.lifecycle.words import INSTEAD_OF_THE_STEP, NAMES, cause, doing, loss, where
from tests.lifecycle import facts as f
from tests.lifecycle import histories as h
from tests.lifecycle.facts import given

LATER = f.AT + timedelta(hours=1)


def said(instance: Instance) -> str:
    return doing(instance.status, instance.step, instance.error, instance.delay)


def test_every_status_has_a_name_of_words_alone() -> None:
    assert set(NAMES) == set(Status)
    assert NAMES[Status.PROVISIONING_FAILED] == "provisioning failed"
    assert all(name.replace(" ", "").isalpha() for name in NAMES.values())


@pytest.mark.parametrize("status", sorted(STARTING_UP | {Status.PROVISIONING}))
def test_one_that_is_on_its_way_is_at_its_step(status: Status) -> None:
    instance = given(*h.IN_STATUS[status])
    assert said(instance) == where(status, instance.step) == LABELS[instance.step]


@pytest.mark.parametrize("status", sorted(FAILURES))
def test_one_that_failed_says_why_and_where_it_stopped(status: Status) -> None:
    instance = given(*h.IN_STATUS[status])
    assert instance.error is not None
    assert said(instance) == instance.error.message
    assert where(status, instance.step) == LABELS[instance.step]
    assert cause(instance.error) == f"{instance.error.code}: {instance.error.message}"


def test_every_other_status_has_words_of_its_own_for_its_step_says_nothing_of_now() -> None:
    assert set(INSTEAD_OF_THE_STEP) == set(Status) - FAILURES - STARTING_UP - {Status.PROVISIONING}
    assert {status: said(given(*h.IN_STATUS[status])) for status in INSTEAD_OF_THE_STEP} == INSTEAD_OF_THE_STEP


def test_an_instance_that_failed_once_and_is_deleted_says_that() -> None:
    assert said(given(*h.a_failed_launch(), f.termination_requested())) == "deleting its resources"


def test_one_whose_models_a_stop_has_erased_says_so_until_it_answers_again() -> None:
    scratch = f.volume_found(volume_id="scratch", scratch=True)
    stopped = given(*h.a_ready_instance(), scratch, f.server_stopped(scratch_erased=True, occurred_at=LATER))
    assert loss(stopped) == "stopped, which has erased its models"
    on_again = evolve(stopped, f.server_restarted(occurred_at=LATER))
    assert loss(on_again) == "downloading its models again: the stop of its server has erased them"
    assert Description.of(on_again, f.AT).doing == Description.of(on_again, f.AT).where == loss(on_again)
    assert loss(evolve(on_again, f.health_restored())) is None


def test_one_with_its_models_on_a_volume_has_lost_nothing() -> None:
    stopped = given(*h.a_ready_instance(), f.volume_found(), f.server_stopped())
    assert loss(stopped) is None
    assert Description.of(stopped, f.AT).doing == "not answering"
    away = given(*h.a_ready_instance(), f.volume_found(volume_id="scratch", scratch=True), f.health_lost())
    assert loss(away) is None


def test_what_holds_it_up_is_said_with_the_number_of_the_try() -> None:
    held_up = given(f.instance_requested(), f.action_delayed(), f.action_delayed(number=2, reason="no L4 in fr-par-1"))
    assert said(held_up) == "creating the server: no L4 in fr-par-1 (try 2)"
    releasing = f.action_delayed(action=Action.RELEASE, reason="the cloud is down")
    assert said(given(*h.a_terminating_instance(), releasing)) == "deleting its resources: the cloud is down (try 1)"
