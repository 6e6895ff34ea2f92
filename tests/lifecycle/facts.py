"""One example of every event, and the histories that tests begin with. A test overrides only what it is about."""

from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any, Final, TypeVar
from uuid import UUID

from shared.actor import Actor, RequestedBy
from shared.lifecycle import events as e
from shared.lifecycle.events import Event
from shared.lifecycle.fact import Action, Fact
from shared.lifecycle.fold import fold
from shared.lifecycle.instance import Instance
from shared.lifecycle.wish import Findings, Wish

INSTANCE_ID: Final = UUID("0b54d3a6-27a5-4b2c-8a53-6f0c1a7f9d10")
AT: Final = datetime(2026, 1, 1, 12, 0, tzinfo=UTC)
SERVER: Final = "5ab0e7f4-server"
IMAGE: Final = "8e21-image"
NAMED_BY_ITS_MOMENT: Final = {e.ServerStopped, e.ServerRestarted, e.AddressChanged, e.ResourcesReleased}
"""What may happen to one server again and again: `occurred_at` is part of its identity."""
PHASES: Final = ("packages", "drivers", "docker", "image", "worker")

_FactT = TypeVar("_FactT", bound=Fact)
Facts = tuple[Event, ...]
SOMEBODY: Final = Actor(kind="key", id=UUID("6c7b2f0e-9a4d-4e51-8f7a-2d9b3c5e1a60"), name="the backend")
"""Who asks for what is asked for."""


def given(*facts: Event) -> Instance:
    """The instance after these facts, of which the first is its request."""
    instance = fold(facts)
    assert instance is not None, "a history begins with instance_requested()"
    return instance


def a_specification(**overrides: Any) -> Wish:
    assert overrides.keys() <= Wish.model_fields.keys(), "what was found out is in `asked`"
    example = {"name": "qwen", "model": "Qwen/Qwen2.5-0.5B-Instruct", "instance_types": ("L4-1-24G",)}
    return Wish.model_validate(example | overrides)


def asked(**overrides: Any) -> dict[str, Any]:
    """The fields of a request: what is asked for, and what was found out of it."""
    found = {name: overrides.pop(name) for name in Findings.model_fields if name in overrides}
    return {"specification": a_specification(**overrides), "findings": Findings(**found)}


def _example(kind: type[_FactT], overrides: dict[str, Any], **fields: Any) -> _FactT:
    if issubclass(kind, RequestedBy):
        fields["requested_by"] = SOMEBODY
    return kind.model_validate({"instance_id": INSTANCE_ID, "occurred_at": AT} | fields | overrides)


def _of_the_server(kind: type[_FactT], overrides: dict[str, Any], **fields: Any) -> _FactT:
    return _example(kind, overrides, server_id=SERVER, **fields)


def _of_the_first_attempt(kind: type[_FactT], overrides: dict[str, Any], **fields: Any) -> _FactT:
    return _example(kind, overrides, attempt=1, **fields)


def instance_requested(**overrides: Any) -> e.InstanceRequested:
    return _example(e.InstanceRequested, overrides, specification=a_specification())


def instance_created(**overrides: Any) -> e.InstanceCreated:
    example = {"zone": "fr-par-2", "instance_type": "L4-1-24G", "hourly_price": 0.75, "currency": "EUR"}
    return _of_the_server(e.InstanceCreated, overrides, **example)


def machine_image_chosen(**overrides: Any) -> e.MachineImageChosen:
    return _example(e.MachineImageChosen, overrides, image_id=IMAGE, zone="fr-par-2")


def machine_image_unusable(**overrides: Any) -> e.MachineImageUnusable:
    return _example(e.MachineImageUnusable, overrides, image_id=IMAGE, reason="the image is gone")


def volume_found(**overrides: Any) -> e.VolumeFound:
    return _of_the_server(e.VolumeFound, overrides, volume_id="7c11-volume")


def volume_resized(**overrides: Any) -> e.VolumeResized:
    return _of_the_server(e.VolumeResized, overrides, volume_id="7c11-volume", size_gb=200)


def instance_started(**overrides: Any) -> e.InstanceStarted:
    return _of_the_server(e.InstanceStarted, overrides)


def ip_assigned(**overrides: Any) -> e.IpAssigned:
    return _of_the_server(e.IpAssigned, overrides, ip_address="51.15.0.10", address_id="3f0a-address")


def security_group_found(**overrides: Any) -> e.SecurityGroupFound:
    return _of_the_server(e.SecurityGroupFound, overrides, security_group_id="9d2e-group")


def ports_opened(**overrides: Any) -> e.PortsOpened:
    return _of_the_server(e.PortsOpened, overrides, security_group_id="9d2e-group", ports=(22, 8000))


def ssh_reachable(**overrides: Any) -> e.SshReachable:
    return _of_the_first_attempt(e.SshReachable, overrides)


def ssh_install_started(**overrides: Any) -> e.SshInstallStarted:
    return _of_the_first_attempt(e.SshInstallStarted, overrides)


def ssh_install_phase_reached(**overrides: Any) -> e.SshInstallPhaseReached:
    example = {"install_try": 1, "phase": PHASES[0], "index": 1, "total": len(PHASES)}
    return _of_the_first_attempt(e.SshInstallPhaseReached, overrides, **example)


def weights_progressed(**overrides: Any) -> e.WeightsProgressed:
    example = {"install_try": 1, "fetched_bytes": 0, "total_bytes": 1000, "files": 0, "files_total": 2}
    return _of_the_first_attempt(e.WeightsProgressed, overrides, **example)


def host_key_rotated(**overrides: Any) -> e.HostKeyRotated:
    return _of_the_server(e.HostKeyRotated, overrides, counter=1)


def ssh_install_failed(**overrides: Any) -> e.SshInstallFailed:
    example = {
        "install_try": 1,
        "exit_status": 100,
        "phase": "docker",
        "reason": "apt-get could not reach its mirror",
    }
    return _of_the_first_attempt(e.SshInstallFailed, overrides, **example)


def ssh_install_completed(**overrides: Any) -> e.SshInstallCompleted:
    return _of_the_first_attempt(e.SshInstallCompleted, overrides)


def machine_sealed(**overrides: Any) -> e.MachineSealed:
    return _of_the_first_attempt(e.MachineSealed, overrides)


def machine_image_stored(**overrides: Any) -> e.MachineImageStored:
    example = {"zone": "fr-par-2", "instance_type": "L4-1-24G", "vllm_image": "vllm/vllm-openai:v0.32.0", "size_gb": 60}
    return _example(e.MachineImageStored, overrides, image_id=IMAGE, **example)


def machine_image_retired(**overrides: Any) -> e.MachineImageRetired:
    return _example(e.MachineImageRetired, overrides, image_id=IMAGE, reason="too old")


def machine_image_deleted(**overrides: Any) -> e.MachineImageDeleted:
    return _example(e.MachineImageDeleted, overrides, image_id=IMAGE, reason="too old")


def worker_reachable(**overrides: Any) -> e.WorkerReachable:
    return _of_the_first_attempt(e.WorkerReachable, overrides)


def model_load_progressed(**overrides: Any) -> e.ModelLoadProgressed:
    return _of_the_first_attempt(e.ModelLoadProgressed, overrides, stage="checkpoint_shards", fraction=0.5)


def model_loaded(**overrides: Any) -> e.ModelLoaded:
    return _of_the_first_attempt(e.ModelLoaded, overrides)


def warmup_completed(**overrides: Any) -> e.WarmupCompleted:
    return _of_the_first_attempt(e.WarmupCompleted, overrides)


def health_passed(**overrides: Any) -> e.HealthPassed:
    return _of_the_first_attempt(e.HealthPassed, overrides)


def instance_ready(**overrides: Any) -> e.InstanceReady:
    return _of_the_first_attempt(e.InstanceReady, overrides)


def health_lost(**overrides: Any) -> e.HealthLost:
    return _of_the_first_attempt(e.HealthLost, overrides, outage=1, reason="the worker's port is closed")


def health_restored(**overrides: Any) -> e.HealthRestored:
    return _of_the_first_attempt(e.HealthRestored, overrides, outage=1)


def action_delayed(**overrides: Any) -> e.ActionDelayed:
    example = {
        "action": Action.CREATE,
        "attempt": 1,
        "number": 1,
        "code": "out_of_stock",
        "reason": "no L4 in fr-par-2",
    }
    return _example(e.ActionDelayed, overrides, next_try_at=AT + timedelta(seconds=30), **example)


def action_resumed(**overrides: Any) -> e.ActionResumed:
    return _example(e.ActionResumed, overrides, action=Action.INSTALL, attempt=1, number=1)


def provisioning_failed(**overrides: Any) -> e.ProvisioningFailed:
    return _example(
        e.ProvisioningFailed, overrides, action=Action.CREATE, code="out_of_stock", message="No zone has an L4."
    )


def startup_failed(**overrides: Any) -> e.StartupFailed:
    return _of_the_first_attempt(
        e.StartupFailed, overrides, code="startup_deadline", message="The model was not loaded in time."
    )


def instance_failed(**overrides: Any) -> e.InstanceFailed:
    return _example(e.InstanceFailed, overrides, code="unavailable_too_long", message="It did not come back.")


def server_lost(**overrides: Any) -> e.ServerLost:
    return _of_the_server(e.ServerLost, overrides)


def server_stopped(**overrides: Any) -> e.ServerStopped:
    return _of_the_server(e.ServerStopped, overrides)


def server_restarted(**overrides: Any) -> e.ServerRestarted:
    return _of_the_server(e.ServerRestarted, overrides)


def server_deleted(**overrides: Any) -> e.ServerDeleted:
    return _of_the_server(e.ServerDeleted, overrides)


def idle_limit_reached(**overrides: Any) -> e.IdleLimitReached:
    return _of_the_first_attempt(e.IdleLimitReached, overrides, limit_seconds=1800)


def lifetime_limit_reached(**overrides: Any) -> e.LifetimeLimitReached:
    return _example(e.LifetimeLimitReached, overrides, limit_seconds=86_400)


def spending_limit_reached(**overrides: Any) -> e.SpendingLimitReached:
    return _example(
        e.SpendingLimitReached,
        overrides,
        period="month",
        month="2026-01",
        limit=500.0,
        spent=500.25,
        currency="EUR",
    )


def address_changed(**overrides: Any) -> e.AddressChanged:
    return _of_the_server(e.AddressChanged, overrides, ip_address="51.15.0.11")


def reinstall_requested(**overrides: Any) -> e.ReinstallRequested:
    return _example(e.ReinstallRequested, overrides, attempt=2)


def drain_requested(**overrides: Any) -> e.DrainRequested:
    return _example(e.DrainRequested, overrides)


def drained(**overrides: Any) -> e.Drained:
    return _example(e.Drained, overrides)


def termination_requested(**overrides: Any) -> e.TerminationRequested:
    return _example(e.TerminationRequested, overrides)


def instance_terminated(**overrides: Any) -> e.InstanceTerminated:
    return _of_the_server(e.InstanceTerminated, overrides)


def resources_released(**overrides: Any) -> e.ResourcesReleased:
    return _of_the_server(e.ResourcesReleased, overrides)


def instance_archived(**overrides: Any) -> e.InstanceArchived:
    return _example(e.InstanceArchived, overrides)


def examples() -> Facts:
    """One of every event, in the order of a life."""
    made: list[Event] = [
        instance_requested(),
        machine_image_chosen(),
        machine_image_unusable(),
        instance_created(),
        volume_found(),
        volume_resized(),
        instance_started(),
        ip_assigned(),
        security_group_found(),
        ports_opened(),
        ssh_reachable(),
        ssh_install_started(),
        ssh_install_phase_reached(),
        weights_progressed(),
        host_key_rotated(),
        ssh_install_failed(),
        ssh_install_completed(),
        machine_sealed(),
        machine_image_stored(),
        machine_image_retired(),
        machine_image_deleted(),
        worker_reachable(),
        model_load_progressed(),
        model_loaded(),
        warmup_completed(),
        health_passed(),
        instance_ready(),
        health_lost(),
        health_restored(),
        action_delayed(),
        action_resumed(),
        provisioning_failed(),
        startup_failed(),
        instance_failed(),
        server_lost(),
        server_stopped(),
        server_restarted(),
        server_deleted(),
        address_changed(),
        idle_limit_reached(),
        lifetime_limit_reached(),
        spending_limit_reached(),
        reinstall_requested(),
        drain_requested(),
        drained(),
        termination_requested(),
        instance_terminated(),
        resources_released(),
        instance_archived(),
    ]
    return tuple(made)


def timed(*facts: Event, start: datetime = AT, seconds: float = 10) -> Facts:
    """The same facts, one every so many seconds."""
    moments = (start + timedelta(seconds=seconds * number) for number in count())
    return tuple(fact.model_copy(update={"occurred_at": at}) for fact, at in zip(facts, moments, strict=False))
