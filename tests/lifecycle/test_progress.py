"""What a person sees of the way to ready: percent and step."""

from itertools import pairwise

import pytest

from shared.lifecycle import events as e
from shared.lifecycle import status as s
from shared.lifecycle.events import Event
from shared.lifecycle.fact import Action
from shared.lifecycle.fold import evolve
from shared.lifecycle.news import is_news
from shared.lifecycle.plan import due
from shared.lifecycle.progress import LABELS, PROGRESS
from shared.lifecycle.status import Status
from tests.lifecycle import facts as f
from tests.lifecycle import histories as h
from tests.lifecycle.facts import given


@pytest.mark.parametrize(
    ("event", "expected"),
    [
        (f.instance_requested(), 5),
        (f.instance_created(), 20),
        (f.volume_resized(), 25),
        (f.instance_started(), 30),
        (f.ip_assigned(), 40),
        (f.ports_opened(), 45),
        (f.ssh_reachable(), 50),
        (f.ssh_install_started(), 55),
        (f.ssh_install_completed(), 60),
        (f.worker_reachable(), 70),
        (f.model_loaded(), 80),
        (f.warmup_completed(), 90),
        (f.health_passed(), 95),
        (f.instance_ready(), 100),
    ],
)
def test_each_milestone_is_worth_what_the_design_says(event: Event, expected: int) -> None:
    assert event.percent == expected


def test_the_phases_of_an_install_are_spread_from_55_to_59() -> None:
    percents = [f.ssh_install_phase_reached(index=index, total=10).percent for index in range(1, 11)]
    assert percents == [55, 55, 56, 56, 57, 57, 57, 58, 58, 59]


def test_a_phase_beyond_the_declared_ones_is_not_worth_a_completed_install() -> None:
    assert f.ssh_install_phase_reached(index=9, total=5).percent == 59


@pytest.mark.parametrize(("fraction", "expected"), [(0.0, 61), (0.5, 70), (0.99, 78), (1.0, 79)])
def test_loading_the_model_is_spread_from_61_to_79(fraction: float, expected: int) -> None:
    assert f.model_load_progressed(fraction=fraction).percent == expected


def test_a_whole_life_climbs_to_a_hundred() -> None:
    history = h.a_ready_instance()
    seen = [given(*history[:length]).progress_percent for length in range(1, len(history) + 1)]
    assert (seen[0], seen[-1]) == (5, 100)
    assert all(earlier <= later for earlier, later in pairwise(seen))


def test_an_install_found_completed_out_of_order_still_shows_sixty() -> None:
    requested, *rest = h.a_launch()
    instance = given(requested, f.instance_started(), f.ssh_install_completed(), *rest)
    assert (instance.status, instance.progress_percent, instance.step) == (Status.STARTING, 60, "SshInstallCompleted")


def test_a_late_milestone_is_remembered_and_does_not_set_the_step_back() -> None:
    history = [fact for fact in h.a_starting_instance() if not isinstance(fact, e.PortsOpened)]
    instance = evolve(given(*history), f.ports_opened())
    assert instance.reached(e.PortsOpened)
    assert (instance.progress_percent, instance.step) == (60, "SshInstallCompleted")


def test_a_lost_and_restored_instance_stays_at_a_hundred() -> None:
    lost = given(*h.IN_STATUS[Status.UNAVAILABLE])
    assert lost.progress_percent == 100
    assert evolve(lost, f.health_restored()).progress_percent == 100


def test_a_reinstall_begins_at_fifty_with_a_machine_that_is_there() -> None:
    instance = given(*h.a_reinstalled_instance())
    assert (instance.progress_percent, instance.step) == (50, "ReinstallRequested")
    assert instance.reached(e.PortsOpened)
    assert not instance.reached(e.SshReachable, e.SshInstallCompleted, e.ModelLoaded, e.InstanceReady)


def test_the_step_is_the_last_of_those_that_are_worth_the_same() -> None:
    instance = given(*h.a_reinstalled_instance(), f.ssh_reachable(attempt=2))
    assert (instance.progress_percent, instance.step) == (50, "SshReachable")


@pytest.mark.parametrize("status", sorted(s.FAILURES))
def test_a_failed_instance_shows_where_it_stopped(status: Status) -> None:
    *history, failure = h.IN_STATUS[status]
    before, after = given(*history), given(*history, failure, f.instance_ready())
    assert (after.progress_percent, after.step) == (before.progress_percent, before.step)


def test_what_is_fetched_is_a_step_once_the_install_waits_for_it() -> None:
    installing = (
        *h.IN_STATUS[Status.INSTALLING],
        f.ssh_install_phase_reached(phase="docker_install", index=4, total=8),
    )
    half = f.weights_progressed(fetched_bytes=500)
    meanwhile = given(*installing, half)
    assert (meanwhile.step, meanwhile.weights and meanwhile.weights.fetched_bytes) == ("SshInstallPhaseReached", 500)
    waiting = (*installing, half, f.ssh_install_phase_reached(phase="weights", index=7, total=8))
    ended = given(*waiting, f.weights_progressed(fetched_bytes=1000, files=2))
    assert (ended.step, ended.progress_percent) == ("WeightsProgressed", 59)
    assert due(ended) is Action.INSTALL


def test_a_machine_tells_each_second_what_it_has_fetched_and_each_tenth_is_news() -> None:
    installing = h.IN_STATUS[Status.INSTALLING]
    fifth = given(*installing, f.weights_progressed(fetched_bytes=200))
    told = {part: is_news(fifth, f.weights_progressed(fetched_bytes=part)) for part in (100, 200, 299, 300, 1000)}
    assert told == {100: False, 200: False, 299: False, 300: True, 1000: True}
    assert is_news(given(*installing), f.weights_progressed())
    assert not is_news(fifth, f.weights_progressed(fetched_bytes=300, install_try=2))
    assert not is_news(given(*h.IN_STATUS[Status.READY]), f.weights_progressed())


def test_a_reinstall_begins_without_what_was_fetched_before() -> None:
    again = given(*h.IN_STATUS[Status.INSTALLING], f.weights_progressed(), f.startup_failed(), f.reinstall_requested())
    assert (again.attempt, again.weights) == (2, None)


def test_every_step_has_words_for_people() -> None:
    steps = {kind.__name__ for kind in PROGRESS}
    assert LABELS.keys() == steps | {
        "SshInstallPhaseReached", "WeightsProgressed", "ModelLoadProgressed", "ReinstallRequested",
    }  # fmt: skip


@pytest.mark.parametrize("event", f.examples(), ids=lambda event: event.type())
def test_only_milestones_have_a_percentage(event: Event) -> None:
    spread = e.SshInstallPhaseReached | e.WeightsProgressed | e.ModelLoadProgressed
    assert (event.percent is not None) is (type(event) in PROGRESS or isinstance(event, spread))
