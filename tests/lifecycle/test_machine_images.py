"""A machine image is made of an instance that never serves, and launches boot from it while nobody has retired it."""

import pytest
from hypothesis import given as for_any

from shared.eta.estimate import estimate
from shared.eta.history import History
from shared.lifecycle import events as e
from shared.lifecycle import status as s
from shared.lifecycle.decide import Intent, possible_actions, reinstall
from shared.lifecycle.errors import IntentRefused
from shared.lifecycle.events import Event
from shared.lifecycle.fact import Action
from shared.lifecycle.fold import evolve
from shared.lifecycle.instance import ChosenImage
from shared.lifecycle.news import is_news
from shared.lifecycle.plan import due, plan
from shared.lifecycle.status import Status
from shared.lifecycle.words import doing
from tests.lifecycle import facts as f
from tests.lifecycle import histories as h
from tests.lifecycle.arbitrary import histories, law, recorded, steps
from tests.lifecycle.facts import Facts, given

SEALED = h.a_sealed_machine()
STORED = h.a_stored_image()
OF_A_WORKER = [example for example in f.examples() if example.purpose == "serve"]
OF_AN_IMAGE = [example for example in f.examples() if example.purpose == "machine_image"]


def by_name(event: Event) -> str:
    return event.type()


# Its life


def test_a_sealed_machine_is_to_be_stored() -> None:
    instance = given(*SEALED)
    assert plan(instance, SEALED[-1]) is due(instance) is Action.STORE_IMAGE
    assert (instance.status, instance.progress_percent) == (Status.INSTALLING, 60)
    assert doing(instance.status, instance.step) == "storing the machine image"


def test_a_sealed_machine_is_not_installed_again() -> None:
    assert plan(given(*SEALED), f.ssh_reachable()) is None
    assert not is_news(given(*SEALED), f.ssh_install_failed())
    assert not is_news(given(*SEALED), f.ssh_install_phase_reached(phase="worker", index=5))


def test_a_machine_whose_image_is_stored_is_released() -> None:
    stored = f.machine_image_stored()
    instance = given(*SEALED, stored)
    assert (instance.status, instance.progress_percent) == (Status.TERMINATING, 100)
    assert plan(instance, stored) is Action.RELEASE


def test_that_we_power_a_sealed_machine_off_is_no_news() -> None:
    stopped = f.server_stopped(occurred_at=given(*SEALED).updated_at)
    assert is_news(given(*SEALED[:-1]), stopped)
    assert not is_news(given(*SEALED), stopped)


def test_a_machine_that_could_not_be_stored_fails_and_is_released() -> None:
    failed = f.startup_failed(code="timed_out")
    assert plan(given(*SEALED, failed), failed) is Action.RELEASE


def test_a_build_can_be_terminated_and_never_reinstalled() -> None:
    instance = given(*SEALED)
    assert possible_actions(instance, instance.updated_at) == (Intent.TERMINATE,)
    with pytest.raises(IntentRefused, match="build another"):
        reinstall(instance, instance.updated_at)


def test_health_looks_at_a_build_until_ssh_answers() -> None:
    launch = h.a_launch(purpose="machine_image")
    assert given(*launch[:-1]).watched
    assert not given(*launch).watched
    assert given(*h.a_launch()).watched


def test_nobody_estimates_when_a_build_will_be_ready() -> None:
    build, launch = given(*h.a_launch(purpose="machine_image")), given(*h.a_launch())
    assert estimate(build, build.updated_at, History(())) is None
    assert estimate(launch, launch.updated_at, History(())) is not None


# What is no fact of it


@pytest.mark.parametrize("event", OF_A_WORKER, ids=by_name)
def test_a_build_learns_nothing_of_a_worker(event: Event) -> None:
    instance = given(*h.an_installing_instance(purpose="machine_image"))
    after = evolve(instance, event)
    assert after == instance.model_copy(update={"version": after.version, "updated_at": after.updated_at})
    assert not is_news(instance, event)


@pytest.mark.parametrize("event", OF_AN_IMAGE, ids=by_name)
def test_an_instance_that_serves_learns_nothing_of_an_image_that_is_made(event: Event) -> None:
    instance = given(*h.an_installing_instance())
    after = evolve(instance, event)
    assert after == instance.model_copy(update={"version": after.version, "updated_at": after.updated_at})
    assert not is_news(instance, event)
    assert plan(instance, event) is None


@law
@for_any(histories())
def test_a_build_never_serves(history: Facts) -> None:
    for step in steps(history):
        if step.after.specification.builds_image:
            assert step.after.status not in {Status.STARTING, *s.SERVING}


@law
@for_any(histories())
def test_no_image_is_on_record_of_a_machine_that_was_not_sealed(history: Facts) -> None:
    for step in recorded(history):
        if step.after.stored_image is not None:
            assert step.after.reached(e.MachineSealed)


def test_an_image_that_was_stored_while_its_build_was_terminated_is_not_taken() -> None:
    assert not is_news(given(*SEALED, f.termination_requested()), f.machine_image_stored())


# The image


def test_the_image_is_on_record_with_its_age_and_cost() -> None:
    instance = given(*SEALED, f.machine_image_stored(monthly_price=2.5, currency="EUR", occurred_at=f.AT))
    assert instance.stored_image is not None
    assert (instance.stored_image.id, instance.stored_image.stored_at) == (f.IMAGE, f.AT)
    assert (instance.stored_image.monthly_price, instance.stored_image.currency) == (2.5, "EUR")


def test_an_image_is_retired_once_and_deleted_once() -> None:
    retired, deleted = f.machine_image_retired(reason="requested"), f.machine_image_deleted(reason="vanished")
    assert is_news(given(*STORED), retired)
    assert not is_news(given(*STORED, retired), retired)
    image = given(*STORED, retired, deleted).stored_image
    assert image is not None
    assert (image.retired_at, image.deleted_at, image.reason) == (f.AT, f.AT, "requested")
    assert not is_news(given(*STORED, retired, deleted), deleted)
    assert not is_news(given(*STORED, deleted), retired)


def test_another_image_is_neither_retired_nor_deleted_with_it() -> None:
    for fact in (f.machine_image_retired(image_id="another"), f.machine_image_deleted(image_id="another")):
        assert not is_news(given(*STORED), fact)
        assert given(*STORED, fact).stored_image == given(*STORED).stored_image


# Launches from it


def test_a_launch_remembers_the_image_that_it_boots_from() -> None:
    launch = f.timed(f.instance_requested(), f.machine_image_chosen(), f.instance_created(machine_image=f.IMAGE))
    instance = given(*launch)
    assert instance.chosen_images == (ChosenImage(id=f.IMAGE, zone="fr-par-2"),)
    assert instance.machine_image == f.IMAGE
    assert not is_news(instance, f.machine_image_chosen())


def test_a_launch_needs_the_image_until_it_has_started() -> None:
    launch = f.timed(f.instance_requested(), f.machine_image_chosen(), f.instance_created(machine_image=f.IMAGE))
    assert given(*launch).needed_images == {f.IMAGE}
    assert not given(*launch, f.ssh_reachable()).needed_images
    assert not given(*launch, f.termination_requested()).needed_images


def test_a_launch_is_told_once_that_an_image_is_of_no_use() -> None:
    unusable = f.machine_image_unusable()
    instance = given(f.instance_requested(), f.machine_image_chosen(), unusable)
    assert instance.unusable_images == (f.IMAGE,)
    assert not is_news(instance, unusable)


def test_a_launch_is_told_once_that_no_image_is_listed() -> None:
    unlisted = f.machine_image_unusable(image_id=None)
    before = given(f.instance_requested(), f.machine_image_unusable())
    assert is_news(before, unlisted)
    instance = evolve(before, unlisted)
    assert (instance.no_image_list, instance.unusable_images) == (True, (f.IMAGE,))
    assert not is_news(instance, unlisted)
