"""Given a status, when a fact comes, then the status after it."""

import pytest

from shared.lifecycle import events as e
from shared.lifecycle import status as s
from shared.lifecycle.events import Event
from shared.lifecycle.fold import evolve
from shared.lifecycle.status import Status
from shared.lifecycle.transitions import TRANSITIONS
from tests.lifecycle import facts as f
from tests.lifecycle import histories as h
from tests.lifecycle.facts import given


@pytest.mark.parametrize("status", Status)
def test_each_ready_made_history_ends_in_its_status(status: Status) -> None:
    assert given(*h.IN_STATUS[status]).status is status


@pytest.mark.parametrize(
    ("before", "event", "after"),
    [
        (Status.PROVISIONING, f.instance_started(), Status.BOOTING),
        (Status.PROVISIONING, f.provisioning_failed(), Status.PROVISIONING_FAILED),
        (Status.BOOTING, f.ssh_install_started(), Status.INSTALLING),
        (Status.BOOTING, f.ssh_install_completed(), Status.STARTING),
        (Status.BOOTING, f.instance_ready(), Status.READY),
        (Status.BOOTING, f.provisioning_failed(), Status.PROVISIONING_FAILED),
        (Status.BOOTING, f.startup_failed(), Status.STARTUP_FAILED),
        (Status.INSTALLING, f.ssh_install_completed(), Status.STARTING),
        (Status.INSTALLING, f.instance_ready(), Status.READY),
        (Status.INSTALLING, f.startup_failed(), Status.STARTUP_FAILED),
        (Status.INSTALLING, f.server_stopped(), Status.BOOTING),
        (Status.STARTING, f.instance_ready(), Status.READY),
        (Status.STARTING, f.startup_failed(), Status.STARTUP_FAILED),
        (Status.STARTING, f.server_stopped(), Status.BOOTING),
        (Status.READY, f.health_lost(), Status.UNAVAILABLE),
        (Status.READY, f.server_stopped(), Status.UNAVAILABLE),
        (Status.READY, f.drain_requested(), Status.DRAINING),
        (Status.READY, f.idle_limit_reached(), Status.DRAINING),
        (Status.READY, f.lifetime_limit_reached(), Status.DRAINING),
        (Status.UNAVAILABLE, f.lifetime_limit_reached(), Status.DRAINING),
        (Status.PROVISIONING, f.lifetime_limit_reached(), Status.TERMINATING),
        (Status.BOOTING, f.lifetime_limit_reached(), Status.TERMINATING),
        (Status.INSTALLING, f.lifetime_limit_reached(), Status.TERMINATING),
        (Status.STARTING, f.lifetime_limit_reached(), Status.TERMINATING),
        (Status.STARTUP_FAILED, f.lifetime_limit_reached(), Status.TERMINATING),
        (Status.UNAVAILABLE, f.health_restored(), Status.READY),
        (Status.UNAVAILABLE, f.drain_requested(), Status.DRAINING),
        (Status.DRAINING, f.drained(), Status.TERMINATING),
        (Status.TERMINATING, f.instance_terminated(), Status.TERMINATED),
        (Status.TERMINATED, f.instance_archived(), Status.ARCHIVED),
    ],
)
def test_a_life_moves_as_the_design_says(before: Status, event: Event, after: Status) -> None:
    assert evolve(given(*h.IN_STATUS[before]), event).status is after


@pytest.mark.parametrize("status", sorted(s.LIVE))
@pytest.mark.parametrize(
    ("event", "after"),
    [
        (f.instance_failed(), Status.FAILED),
        (f.server_lost(), Status.FAILED),
        (f.termination_requested(), Status.TERMINATING),
    ],
)
def test_every_live_instance_can_be_lost_and_terminated(status: Status, event: Event, after: Status) -> None:
    assert evolve(given(*h.IN_STATUS[status]), event).status is after


@pytest.mark.parametrize("status", sorted(s.FAILURES))
def test_every_failed_instance_can_be_terminated_and_archived(status: Status) -> None:
    instance = given(*h.IN_STATUS[status])
    assert evolve(instance, f.termination_requested()).status is Status.TERMINATING
    assert evolve(instance, f.instance_archived()).status is Status.ARCHIVED


@pytest.mark.parametrize(
    "status", [Status.INSTALLING, Status.STARTING, Status.READY, Status.UNAVAILABLE, Status.STARTUP_FAILED]
)
def test_a_reinstall_goes_back_to_installing(status: Status) -> None:
    instance = evolve(given(*h.IN_STATUS[status]), f.reinstall_requested(attempt=2))
    assert instance.status is Status.INSTALLING
    assert instance.attempt == 2


def test_facts_of_an_old_attempt_do_not_make_the_new_one_ready() -> None:
    instance = given(*h.a_reinstalled_instance())
    assert evolve(instance, f.instance_ready(attempt=1)).status is Status.INSTALLING


@pytest.mark.parametrize("event", [f.health_passed(), f.model_loaded(), f.health_restored(), f.worker_reachable()])
def test_nothing_short_of_instance_ready_makes_a_starting_instance_ready(event: Event) -> None:
    assert evolve(given(*h.a_starting_instance()), event).status is Status.STARTING


def test_every_status_but_the_first_can_be_entered_and_every_status_but_the_last_be_left() -> None:
    entered = {after for moves in TRANSITIONS.values() for after in moves.values()}
    assert entered == set(Status) - {Status.PROVISIONING}
    assert {status for status, moves in TRANSITIONS.items() if not moves} == {Status.ARCHIVED}


FACTS_KEPT_WITHOUT_A_MOVE = {
    e.InstanceRequested,
    e.MachineImageChosen,
    e.MachineImageUnusable,
    e.InstanceCreated,
    e.VolumeFound,
    e.SecurityGroupFound,
    e.VolumeResized,
    e.IpAssigned,
    e.PortsOpened,
    e.SshReachable,
    e.SshInstallPhaseReached,
    e.WeightsProgressed,
    e.HostKeyRotated,
    e.SpendingLimitReached,
    e.SshInstallFailed,
    e.MachineImageRetired,
    e.MachineImageDeleted,
    e.WorkerReachable,
    e.ModelLoadProgressed,
    e.ModelLoaded,
    e.WarmupCompleted,
    e.HealthPassed,
    e.ActionDelayed,
    e.ActionResumed,
    e.AddressChanged,
    e.ServerRestarted,
    e.ServerDeleted,
    e.ResourcesReleased,
}


def test_every_event_moves_an_instance_or_is_known_to_move_none() -> None:
    moving = {kind for moves in TRANSITIONS.values() for kind in moves}
    assert moving == set(e.EVENTS.values()) - FACTS_KEPT_WITHOUT_A_MOVE
