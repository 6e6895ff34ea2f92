"""Given an instance as it is now, whether a fact still says something new of it."""

from datetime import timedelta

import pytest

from shared.lifecycle import events as e
from shared.lifecycle import status as s
from shared.lifecycle.events import Event
from shared.lifecycle.fact import Action
from shared.lifecycle.fold import evolve
from shared.lifecycle.news import is_news
from shared.lifecycle.plan import plan
from shared.lifecycle.status import LIVE, Status
from shared.lifecycle.transitions import moves
from tests.lifecycle import facts as f
from tests.lifecycle import histories as h
from tests.lifecycle.facts import Facts, given

INSTALLED_ANEW: Facts = (*h.a_reinstalled_instance(), *h.an_install(attempt=2))


DECIDED = (e.ReinstallRequested, e.TerminationRequested)


@pytest.mark.parametrize(
    "history", [h.a_ready_instance(), h.a_failed_start(), h.a_terminated_instance(), INSTALLED_ANEW]
)
def test_each_fact_of_a_life_is_news_once(history: Facts) -> None:
    for length in range(1, len(history)):
        before, event = given(*history[:length]), history[length]
        if not isinstance(event, DECIDED):
            assert is_news(before, event)
            assert not is_news(given(*history), event)


@pytest.mark.parametrize("event", f.examples(), ids=lambda event: event.type())
def test_a_fact_of_another_attempt_is_no_news(event: Event) -> None:
    if hasattr(event, "attempt") and event.type() != "ReinstallRequested":
        other = event.model_copy(update={"attempt": 7})
        assert not any(is_news(given(*history), other) for history in h.IN_STATUS.values())


@pytest.mark.parametrize("status", Status)
@pytest.mark.parametrize(
    "inference",
    [
        f.startup_failed(),
        f.instance_failed(),
        f.instance_ready(),
        f.drained(),
        f.server_lost(),
        f.idle_limit_reached(),
    ],
    ids=lambda event: event.type(),
)
def test_an_inference_is_news_only_while_it_would_move_the_instance(inference: Event, status: Status) -> None:
    instance = given(*h.IN_STATUS[status])
    assert is_news(instance, inference) is moves(status, type(inference))


@pytest.mark.parametrize("event", [f.server_lost(server_id="another"), f.server_stopped(server_id="another")])
def test_the_loss_of_a_duplicate_is_no_news(event: Event) -> None:
    assert not is_news(given(*h.a_ready_instance()), event)


# Outages


def test_an_outage_is_told_once_even_when_the_next_one_could_begin() -> None:
    ready = given(*h.a_ready_instance(), f.health_lost(outage=1), f.health_restored(outage=1))
    assert not is_news(ready, f.health_lost(outage=1))
    assert is_news(ready, f.health_lost(outage=2))


def test_the_end_of_an_earlier_outage_does_not_end_this_one() -> None:
    history = (*h.a_ready_instance(), f.health_lost(outage=1), f.health_restored(outage=1), f.health_lost(outage=2))
    assert not is_news(given(*history), f.health_restored(outage=1))
    assert is_news(given(*history), f.health_restored(outage=2))


def test_a_stopped_server_is_an_outage_that_health_ends() -> None:
    stopped = given(*h.a_ready_instance(), f.server_stopped())
    assert not is_news(stopped, f.health_lost(outage=1))
    assert is_news(stopped, f.health_restored(outage=1))


# Actions that fail


@pytest.mark.parametrize("action", [Action.CREATE, Action.RESIZE_VOLUME])
def test_the_failure_of_an_action_that_is_done_is_no_news(action: Action) -> None:
    assert not is_news(given(*h.a_created_server()), f.provisioning_failed(action=action))


@pytest.mark.parametrize("action", [Action.POWER_ON, Action.AWAIT_ADDRESS, Action.OPEN_PORTS])
def test_the_failure_of_an_action_that_is_due_is_news(action: Action) -> None:
    assert is_news(given(*h.a_created_server()), f.provisioning_failed(action=action))


def test_provisioning_does_not_fail_once_the_install_has_begun() -> None:
    assert not is_news(given(*h.an_installing_instance()), f.provisioning_failed(action=Action.OPEN_PORTS))


def test_a_failed_try_counts_once() -> None:
    instance = given(*h.an_installing_instance(), f.ssh_install_failed(install_try=1))
    assert not is_news(instance, f.ssh_install_failed(install_try=1))
    assert is_news(instance, f.ssh_install_failed(install_try=2))


def test_a_try_that_failed_after_the_machine_was_stopped_still_counts() -> None:
    instance = given(*h.an_installing_instance(), f.server_stopped())
    assert is_news(instance, f.ssh_install_failed())


@pytest.mark.parametrize("status", sorted(set(Status) - {Status.BOOTING, Status.INSTALLING}))
def test_an_install_that_no_longer_matters_does_not_fail(status: Status) -> None:
    assert not is_news(given(*h.IN_STATUS[status]), f.ssh_install_failed())


def test_a_phase_is_news_when_it_goes_forward_in_the_running_try() -> None:
    third = f.ssh_install_phase_reached(phase="docker", index=3)
    instance = given(*h.a_launch(), f.ssh_install_started(), third)
    assert not is_news(instance, f.ssh_install_phase_reached(phase="drivers", index=2))
    assert not is_news(instance, f.ssh_install_phase_reached(phase="image", index=4, install_try=2))
    assert is_news(instance, f.ssh_install_phase_reached(phase="image", index=4))


@pytest.mark.parametrize("ended_by", [f.ssh_install_completed(), f.instance_ready()])
def test_a_phase_is_no_news_once_the_install_is_over(ended_by: Event) -> None:
    instance = given(*h.a_launch(), f.ssh_install_started(), ended_by)
    assert not is_news(instance, f.ssh_install_phase_reached(phase="worker", index=5))


def test_a_delay_is_news_once_for_each_try_of_each_action() -> None:
    instance = given(*h.a_created_server(), f.action_delayed(action=Action.CREATE, number=2))
    assert not is_news(instance, f.action_delayed(action=Action.CREATE, number=2))
    assert is_news(instance, f.action_delayed(action=Action.CREATE, number=3))
    assert is_news(instance, f.action_delayed(action=Action.POWER_ON, number=1))


def test_that_an_action_goes_on_is_news_while_something_delays_it() -> None:
    held_up = given(*h.an_installing_instance(), f.action_delayed(action=Action.INSTALL, number=2))
    assert is_news(held_up, f.action_resumed(number=2))
    assert not is_news(held_up, f.action_resumed(number=1))
    assert not is_news(held_up, f.action_resumed(action=Action.CREATE, number=2))
    assert not is_news(evolve(held_up, f.action_resumed(number=2)), f.action_resumed(number=2))


# Resources, addresses, keys


@pytest.mark.parametrize("status", Status)
def test_a_second_server_and_another_volume_are_news_whatever_the_status(status: Status) -> None:
    instance = given(*h.IN_STATUS[status])
    assert is_news(instance, f.instance_created(server_id="another"))
    assert is_news(instance, f.volume_found(volume_id="another"))


def test_a_known_server_volume_or_key_is_no_news() -> None:
    instance = given(*h.a_ready_instance(), f.instance_created(server_id="another"))
    known: list[Event] = [
        f.instance_created(),
        f.instance_created(server_id="another"),
        f.volume_found(),
        f.host_key_rotated(),
    ]
    assert not any(is_news(instance, event) for event in known)


def test_an_address_is_news_when_it_changed() -> None:
    instance = given(*h.a_ready_instance())
    assert is_news(instance, f.address_changed())
    assert not is_news(instance, f.address_changed(ip_address=instance.ip_address))
    assert not is_news(instance, f.address_changed(server_id="another"))


def test_the_first_address_did_not_change() -> None:
    assert not is_news(given(*h.a_created_server(), f.instance_started()), f.address_changed())


def test_an_ended_instance_has_no_address_to_change() -> None:
    assert not is_news(given(*h.a_terminated_instance()), f.address_changed())


def test_loading_is_news_while_it_raises_the_progress() -> None:
    instance = given(*h.a_starting_instance(), f.model_load_progressed(fraction=0.5))
    assert not is_news(instance, f.model_load_progressed(fraction=0.4))
    assert not is_news(instance, f.model_load_progressed(fraction=0.51))
    assert is_news(instance, f.model_load_progressed(fraction=0.8))
    assert not is_news(given(*h.a_terminating_instance()), f.model_load_progressed(fraction=1.0))


# Release


@pytest.mark.parametrize(("server_id", "news"), [(f.SERVER, True), (None, False), ("another", False)])
def test_a_release_is_news_when_it_saw_the_recorded_server_gone(server_id: str | None, *, news: bool) -> None:
    assert is_news(given(*h.a_terminating_instance()), f.instance_terminated(server_id=server_id)) is news
    assert is_news(given(*h.a_failed_start()), f.resources_released(server_id=server_id)) is news


def test_a_release_is_no_news_when_something_was_found_while_it_ran() -> None:
    """Two holders release at once: the one that saw less must not speak for what the other has still to delete."""
    pass_began = given(*h.a_terminating_instance())
    now = given(*h.a_terminating_instance(), f.volume_found(volume_id="late"))
    assert not is_news(now, f.instance_terminated(revision=pass_began.resources.revision))
    assert is_news(now, f.instance_terminated(revision=now.resources.revision))


@pytest.mark.parametrize("server_id", [None, f.SERVER])
def test_without_a_server_any_release_is_news(server_id: str | None) -> None:
    assert is_news(given(*h.a_failed_launch()), f.resources_released(server_id=server_id))


@pytest.mark.parametrize("status", Status)
def test_a_release_is_news_for_an_ended_instance_that_is_not_released(status: Status) -> None:
    assert is_news(given(*h.IN_STATUS[status]), f.resources_released()) is (status in s.FAILURES)
    assert is_news(given(*h.IN_STATUS[status]), f.instance_terminated()) is (status is Status.TERMINATING)


def test_a_resource_found_after_the_release_can_be_released_again() -> None:
    instance = given(*h.a_terminated_instance(), f.volume_found(volume_id="late"))
    assert is_news(instance, f.resources_released())


@pytest.mark.parametrize("status", sorted(LIVE - {Status.PROVISIONING}))
def test_a_server_stopped_by_somebody_is_news_once_until_it_is_on_again(status: Status) -> None:
    running = given(*h.IN_STATUS[status])
    stop = f.server_stopped(occurred_at=running.updated_at)
    assert is_news(running, stop)
    stopped = evolve(running, stop)
    assert not is_news(stopped, f.server_stopped(occurred_at=running.updated_at + timedelta(minutes=1)))
    restart = f.server_restarted(occurred_at=running.updated_at + timedelta(minutes=2))
    assert is_news(stopped, restart)
    assert is_news(evolve(stopped, restart), f.server_stopped(occurred_at=running.updated_at + timedelta(minutes=3)))


def test_a_server_that_is_on_is_not_restarted() -> None:
    assert not is_news(given(*h.a_ready_instance()), f.server_restarted())
    assert not is_news(given(*h.a_created_server()), f.server_restarted())


@pytest.mark.parametrize("status", sorted(Status))
def test_a_deleted_server_is_news_once_and_of_ended_ones_only(status: Status) -> None:
    ended = status not in LIVE
    known = given(*h.IN_STATUS[status]).resources
    deleted = f.server_deleted()
    news = ended and known.server_id is not None and not known.server_gone
    assert is_news(given(*h.IN_STATUS[status]), deleted) is news
    assert not is_news(given(*h.IN_STATUS[status], deleted), deleted)


def test_what_becomes_of_the_server_of_one_that_is_kept_is_news() -> None:
    kept = given(*h.a_failed_start(keep=True))
    stopped = evolve(kept, f.server_stopped(occurred_at=kept.updated_at))
    assert is_news(kept, f.server_stopped(occurred_at=kept.updated_at))
    assert is_news(stopped, f.server_restarted(occurred_at=kept.updated_at))
    assert is_news(kept, f.address_changed(ip_address="192.0.2.99"))
    assert is_news(kept, f.server_lost())
    assert not is_news(kept, f.server_deleted())
    lost = evolve(kept, f.server_lost())
    assert (lost.status, lost.error) == (kept.status, kept.error)
    assert not is_news(lost, f.server_lost())
    assert plan(lost, f.server_lost()) is Action.RELEASE


@pytest.mark.parametrize("status", sorted(set(Status) - LIVE))
def test_the_power_of_an_ended_one_is_no_news(status: Status) -> None:
    assert not is_news(given(*h.IN_STATUS[status]), f.server_stopped())


def test_the_end_of_a_life_is_news_for_one_that_was_kept_but_not_for_one_that_is_released() -> None:
    assert is_news(given(*h.a_failed_start(keep=True)), f.lifetime_limit_reached())
    assert not is_news(given(*h.a_failed_start()), f.lifetime_limit_reached())
    assert not is_news(given(*h.IN_STATUS[Status.DRAINING]), f.lifetime_limit_reached())


def test_a_stop_from_before_the_server_was_on_again_is_no_news() -> None:
    running = given(*h.a_ready_instance())
    off, on = running.updated_at, running.updated_at + timedelta(minutes=1)
    again = given(
        *h.a_ready_instance(),
        f.server_stopped(occurred_at=off),
        f.server_restarted(occurred_at=on),
        f.health_restored(),
    )
    assert not is_news(again, f.server_stopped(occurred_at=off + timedelta(seconds=1)))
    assert is_news(again, f.server_stopped(occurred_at=on + timedelta(seconds=1)))


@pytest.mark.parametrize("status", Status)
def test_a_spending_limit_is_told_once_to_what_is_not_ending(status: Status) -> None:
    instance, reached = given(*h.IN_STATUS[status]), f.spending_limit_reached()
    assert is_news(instance, reached) is (status not in s.ENDING)
    told = evolve(instance, reached)
    for unchanged in ("status", "progress_percent", "step", "milestones", "resources"):
        assert getattr(told, unchanged) == getattr(instance, unchanged)
    assert not is_news(told, f.spending_limit_reached(spent=777.0))
    for other in ({"month": "2026-02"}, {"limit": 600.0}, {"period": "hour"}, {"currency": "USD"}):
        assert is_news(told, f.spending_limit_reached(**other)) is (status not in s.ENDING)
    assert evolve(told, reached).limits_told == told.limits_told
