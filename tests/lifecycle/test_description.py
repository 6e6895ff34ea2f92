"""What follows from an instance, as everybody shows it."""

from datetime import timedelta

import pytest

from shared.description import Description, InstanceView
from shared.lifecycle.decide import possible_actions
from shared.lifecycle.groups import StatusGroup
from shared.lifecycle.instance import Instance
from shared.lifecycle.status import Status
from shared.lifecycle.words import ADVICE, KEPT
from tests.lifecycle import facts as f
from tests.lifecycle import histories as h
from tests.lifecycle.facts import AT, given

EVERY_STATUS = pytest.mark.parametrize("status", Status)


def an_instance(status: Status) -> Instance:
    return given(*h.IN_STATUS[status])


def test_an_instance_shows_since_when_it_is_as_far_as_it_is_and_whether_its_server_costs() -> None:
    later = AT + timedelta(minutes=3)
    created = given(f.instance_requested(), f.instance_created(occurred_at=later))
    started = given(f.instance_requested(), f.instance_created(), f.instance_started(occurred_at=later))
    stopped = given(f.instance_requested(), f.instance_created(), f.instance_started(), f.server_stopped())
    shown = [InstanceView.of(instance, later, eta=None) for instance in (created, started, stopped)]
    assert [view.step_since for view in shown] == [later, later, AT]
    assert [view.server_on for view in shown] == [False, True, False]


def test_an_instance_shows_how_its_worker_is_talked_to_once_its_install_has_begun() -> None:
    launching = h.a_launch()
    begun = (*launching, f.ssh_install_started(worker_tls="mutual")), (*launching, f.ssh_install_started())
    shown = [InstanceView.of(given(*facts), AT, eta=None).worker_tls for facts in (launching, *begun)]
    assert shown == [None, "mutual", "off"]


def test_a_build_of_a_machine_image_says_what_it_is_for() -> None:
    build = Description.of(f.given(*h.a_sealed_machine()), f.AT)
    assert (build.purpose, build.use) == ("machine_image", "builds a machine image")
    launch = Description.of(f.given(*h.a_ready_instance()), f.AT)
    assert (launch.purpose, launch.use) == ("serve", launch.model)


def test_an_instance_shows_the_image_that_its_machine_has_taken() -> None:
    pulls = f.ssh_install_phase_reached(image="vllm/vllm-openai:v0.32.0-cu129")
    before = (f.instance_requested(), f.instance_created())
    shown = [InstanceView.of(given(*facts), AT, eta=None).image for facts in (before, (*before, pulls))]
    assert shown == [None, "vllm/vllm-openai:v0.32.0-cu129"]


@EVERY_STATUS
def test_its_actions_are_those_that_decide_allows(status: Status) -> None:
    instance = an_instance(status)
    assert Description.of(instance, AT).actions == possible_actions(instance, AT)


@EVERY_STATUS
def test_requests_may_run_on_it_from_ready_until_it_has_drained(status: Status) -> None:
    described = Description.of(an_instance(status), AT)
    assert described.serving is (status in {Status.READY, Status.UNAVAILABLE, Status.DRAINING})


@EVERY_STATUS
def test_only_one_that_failed_has_advice(status: Status) -> None:
    described = Description.of(an_instance(status), AT)
    assert (described.advice is not None) is (described.group is StatusGroup.FAILED)
    assert described.advice == ADVICE.get(status)


def test_the_advice_on_a_machine_that_was_kept_holds_as_long_as_it_stands() -> None:
    kept = h.a_failed_start(keep=True)
    assert Description.of(given(*kept), AT).advice == KEPT
    assert Description.of(given(*kept, f.server_lost()), AT).advice == ADVICE[Status.STARTUP_FAILED]


@EVERY_STATUS
def test_one_that_is_on_its_way_has_not_settled(status: Status) -> None:
    described = Description.of(an_instance(status), AT)
    assert not (described.on_its_way and described.settled)
    assert described.on_its_way or described.settled or described.group is StatusGroup.ENDING


def test_the_cost_goes_on_from_the_moment_of_the_description_while_the_server_is_on() -> None:
    ready = an_instance(Status.READY).model_copy(update={"hourly_price": 0.75, "currency": "EUR"})
    at = ready.updated_at
    now, later = (Description.of(ready, moment) for moment in (at, at + timedelta(hours=2)))
    assert now.cost is not None
    assert (now.as_of, now.cost_after(timedelta(hours=2))) == (at, later.cost)
    assert now.cost_after(-timedelta(hours=1)) == now.cost
    stopped = Description.of(given(*h.a_terminated_instance()).model_copy(update={"hourly_price": 0.75}), at)
    assert stopped.cost_after(timedelta(hours=2)) == stopped.cost
