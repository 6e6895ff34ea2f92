"""Whole stretches of a life, as tuples of facts ten seconds apart; `IN_STATUS` has one that ends in each status."""

from collections.abc import Mapping
from typing import Any, Final

from shared.lifecycle.status import Status
from tests.lifecycle import facts as f
from tests.lifecycle.facts import Facts


def a_created_server(**specification: Any) -> Facts:
    """Up to the server with its volume grown, still powered off."""
    requested = f.instance_requested(**f.asked(**specification))
    return f.timed(requested, f.instance_created(), f.volume_found(), f.volume_resized())


def a_launch(**specification: Any) -> Facts:
    """Up to a machine that SSH reaches: all that comes before the install."""
    rest = (f.instance_started(), f.ip_assigned(), f.security_group_found(), f.ports_opened(), f.ssh_reachable())
    return f.timed(*a_created_server(**specification), *rest)


def an_install(attempt: int = 1) -> Facts:
    """From its start over all its phases, not yet completed; the first one rotates the host key."""
    phases = (
        f.ssh_install_phase_reached(attempt=attempt, phase=phase, index=index)
        for index, phase in enumerate(f.PHASES, start=1)
    )
    rotated = (f.host_key_rotated(),) if attempt == 1 else ()
    return (f.ssh_install_started(attempt=attempt), *phases, *rotated)


def a_warm_up(attempt: int = 1) -> Facts:
    """From loading the model to the first full pass of health, one short of ready."""
    load = (f.model_load_progressed(attempt=attempt, fraction=fraction) for fraction in (0.0, 0.5, 1.0))
    seen = (f.worker_reachable, f.model_loaded, f.warmup_completed, f.health_passed)
    return (*load, *(fact(attempt=attempt) for fact in seen))


def an_installing_instance(**specification: Any) -> Facts:
    return f.timed(*a_launch(**specification), *an_install())


def a_starting_instance(**specification: Any) -> Facts:
    return f.timed(*an_installing_instance(**specification), f.ssh_install_completed())


def a_ready_instance(**specification: Any) -> Facts:
    return f.timed(*a_starting_instance(**specification), *a_warm_up(), f.instance_ready())


def a_reinstalled_instance(**specification: Any) -> Facts:
    """Ready, then asked to be installed anew: its second attempt has just begun."""
    return f.timed(*a_ready_instance(**specification), f.reinstall_requested(attempt=2))


def a_sealed_machine(**specification: Any) -> Facts:
    """Installed and sealed, and about to be stored as a machine image."""
    asked = {"purpose": "machine_image", "model": ""} | specification
    return f.timed(*an_installing_instance(**asked), f.machine_sealed())


def a_stored_image(**specification: Any) -> Facts:
    """Nothing is left of the machine; its image is there."""
    return f.timed(*a_sealed_machine(**specification), f.machine_image_stored(), f.instance_terminated())


def a_failed_launch(**specification: Any) -> Facts:
    """No zone had a server to give: nothing exists at the provider."""
    requested = f.instance_requested(**f.asked(**specification))
    return f.timed(requested, f.action_delayed(), f.provisioning_failed())


def a_failed_start(*, keep: bool = False) -> Facts:
    """The model did not load in time; `keep` leaves the machine standing for inspection."""
    return f.timed(*a_starting_instance(keep_for_inspection=keep), f.startup_failed())


def a_terminating_instance(**specification: Any) -> Facts:
    return f.timed(*a_ready_instance(**specification), f.termination_requested())


def a_terminated_instance(**specification: Any) -> Facts:
    return f.timed(*a_terminating_instance(**specification), f.instance_terminated())


IN_STATUS: Final[Mapping[Status, Facts]] = {
    Status.PROVISIONING: a_created_server(),
    Status.BOOTING: a_launch(),
    Status.INSTALLING: an_installing_instance(),
    Status.STARTING: a_starting_instance(),
    Status.READY: a_ready_instance(),
    Status.UNAVAILABLE: f.timed(*a_ready_instance(), f.health_lost()),
    Status.DRAINING: f.timed(*a_ready_instance(), f.drain_requested()),
    Status.TERMINATING: a_terminating_instance(),
    Status.TERMINATED: a_terminated_instance(),
    Status.ARCHIVED: f.timed(*a_terminated_instance(), f.instance_archived()),
    Status.PROVISIONING_FAILED: a_failed_launch(),
    Status.STARTUP_FAILED: a_failed_start(),
    Status.FAILED: f.timed(*a_ready_instance(), f.server_lost()),
}
