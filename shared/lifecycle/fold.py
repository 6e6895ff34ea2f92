"""From facts to the instance. The only place where an instance changes."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any, assert_never

from shared.actor import RequestedBy
from shared.lifecycle import events as e
from shared.lifecycle.fact import AttemptFact, Signal
from shared.lifecycle.instance import (
    ChosenImage,
    Delay,
    Failure,
    FetchedWeights,
    Install,
    Instance,
    Period,
    StoredImage,
    Volume,
)
from shared.lifecycle.plan import due
from shared.lifecycle.progress import KEPT_BY_A_REINSTALL, PROGRESS, REINSTALL
from shared.lifecycle.status import ENDING, FAILURES, LIVE, Status
from shared.lifecycle.transitions import moves, status_after


def begin(requested: e.InstanceRequested) -> Instance:
    """The instance after its first fact."""
    at = requested.occurred_at
    return Instance(
        id=requested.instance_id,
        specification=requested.specification,
        findings=requested.findings,
        status=Status.PROVISIONING,
        progress_percent=PROGRESS[e.InstanceRequested],
        step=e.InstanceRequested.__name__,
        milestones=frozenset({e.InstanceRequested.__name__}),
        created_by=requested.requested_by,
        requested_by=requested.requested_by,
        created_at=at,
        attempt_started_at=at,
        progress_since=at,
        status_since=at,
        updated_at=at,
    )


def evolve(instance: Instance, event: e.Event) -> Instance:
    """Apply one fact. Never raises: a fact that the table does not expect here is late, not wrong."""
    noted = _with(instance, version=instance.version + 1, updated_at=max(instance.updated_at, event.occurred_at))
    if isinstance(event, AttemptFact) and event.attempt != instance.attempt:
        return noted
    if event.purpose not in (None, instance.specification.purpose):
        return noted
    if isinstance(event, e.ReinstallRequested):
        return _next_attempt(noted, event)
    if isinstance(event, RequestedBy):
        noted = _with(noted, requested_by=event.requested_by or noted.requested_by)
    return _going_on(_moved(_advanced(_informed(noted, event), event), event))


def fold(events: Iterable[e.Event]) -> Instance | None:
    """The instance after these facts; None without a request. Facts before the request are skipped."""
    instance: Instance | None = None
    for event in events:
        if instance is not None:
            instance = evolve(instance, event)
        elif isinstance(event, e.InstanceRequested):
            instance = begin(event)
    return instance


def _with(instance: Instance, **changes: Any) -> Instance:
    return instance.model_copy(update=changes)


def _informed(instance: Instance, event: e.Event) -> Instance:  # noqa: C901, PLR0911, PLR0912 - a match over every event is one idea
    """What a fact teaches whatever the status: ids, addresses, counters."""
    match event:
        case e.SshInstallStarted():
            return _installing(instance, event)
        case e.ModelLoaded():
            return _with(instance, max_model_len=event.max_model_len)
        case e.WarmupCompleted():
            return _with(instance, vllm_version=event.vllm_version)
        case e.WeightsProgressed():
            return _fetching(instance, event)
        case Signal():
            return instance
        case e.MachineImageChosen() | e.MachineImageUnusable():
            return _ordered_with(instance, event)
        case e.InstanceCreated():
            return _claimed(instance, event)
        case e.VolumeFound() | e.VolumeResized():
            return _owning(instance, event)
        case e.IpAssigned() | e.AddressChanged():
            return _addressed(instance, event)
        case e.SecurityGroupFound() | e.PortsOpened():
            return _guarded_by(instance, event.security_group_id)
        case e.HostKeyRotated():
            return _with_host_key(instance, event.counter)
        case e.InstanceStarted():
            return _powered_on(instance, event.occurred_at)
        case e.ServerStopped():
            return _powered_off(instance, event.occurred_at) if _of_its_server(instance, event) else instance
        case e.ServerRestarted():
            return _powered_on_again(instance, event.occurred_at) if _of_its_server(instance, event) else instance
        case e.ServerLost() | e.ServerDeleted():
            return _without_its_server(instance, event.occurred_at) if _of_its_server(instance, event) else instance
        case e.SshInstallPhaseReached():
            return _in_phase(instance, event)
        case e.SshInstallFailed():
            return _after_failed_install(instance, event)
        case e.ActionDelayed():
            return _delayed(instance, event)
        case e.ActionResumed():
            return _with(instance, delay=None) if _is_over(instance, event) else instance
        case e.MachineImageStored():
            return _stored(instance, event)
        case e.MachineImageRetired() | e.MachineImageDeleted():
            return _put_away(instance, event)
        case e.SpendingLimitReached():
            return _told_of_limit(instance, event.remembered_as)
        case e.InstanceTerminated() | e.ResourcesReleased():
            return _released(instance, event)
        case _:
            assert_never(event)


def _of_its_server(
    instance: Instance, event: e.ServerStopped | e.ServerRestarted | e.ServerLost | e.ServerDeleted
) -> bool:
    return event.server_id == instance.resources.server_id


def _claimed(instance: Instance, created: e.InstanceCreated) -> Instance:
    """The first server claims the instance; any other is a duplicate, to be deleted."""
    resources = instance.resources
    if resources.server_id is None:
        held = _holding(instance, server_id=created.server_id, own_host_key=created.host_key)
        return _with(
            held,
            zone=created.zone,
            instance_type=created.instance_type,
            hourly_price=created.hourly_price,
            currency=created.currency,
            machine_image=created.machine_image,
        )
    if created.server_id in (resources.server_id, *resources.duplicate_server_ids):
        return instance
    return _holding(instance, duplicate_server_ids=(*resources.duplicate_server_ids, created.server_id))


def _ordered_with(instance: Instance, event: e.MachineImageChosen | e.MachineImageUnusable) -> Instance:
    if isinstance(event, e.MachineImageUnusable):
        if event.image_id is None:
            return _with(instance, no_image_list=True)
        known = instance.unusable_images
        return instance if event.image_id in known else _with(instance, unusable_images=(*known, event.image_id))
    if any(event.image_id == image.id for image in instance.chosen_images):
        return instance
    chosen = ChosenImage(id=event.image_id, zone=event.zone)
    return _with(instance, chosen_images=(*instance.chosen_images, chosen))


def _stored(instance: Instance, event: e.MachineImageStored) -> Instance:
    """The first one counts; any other is deleted."""
    if instance.stored_image is not None:
        return instance
    fields = event.model_dump(include=set(StoredImage.model_fields))
    return _with(instance, stored_image=StoredImage(id=event.image_id, stored_at=event.occurred_at, **fields))


def _put_away(instance: Instance, event: e.MachineImageRetired | e.MachineImageDeleted) -> Instance:
    image = instance.stored_image
    if image is None or image.id != event.image_id or image.deleted_at is not None:
        return instance
    if isinstance(event, e.MachineImageDeleted):
        after = {"deleted_at": event.occurred_at, "reason": image.reason or event.reason}
    elif image.retired_at is None:
        after = {"retired_at": event.occurred_at, "reason": event.reason}
    else:
        return instance
    return _with(instance, stored_image=image.model_copy(update=after))


def _addressed(instance: Instance, event: e.IpAssigned | e.AddressChanged) -> Instance:
    if event.server_id != instance.resources.server_id:
        return instance
    return _with(_holding(instance, address_id=event.address_id), ip_address=event.ip_address)


def _with_host_key(instance: Instance, counter: int) -> Instance:
    resources = instance.resources
    return _with(instance, resources=resources.model_copy(update={"host_key": max(counter, resources.host_key)}))


def _powered_on(instance: Instance, at: datetime) -> Instance:
    if instance.powered or instance.resources.server_gone:
        return instance
    return _with(instance, powered=(Period(since=at),))


def _powered_off(instance: Instance, at: datetime) -> Instance:
    if not instance.server_on:
        return instance
    *before, last = instance.powered
    return _with(instance, powered=(*before, last.model_copy(update={"until": max(at, last.since)})))


def _without_its_server(instance: Instance, at: datetime) -> Instance:
    """The server, if there was one, is off for good."""
    resources = instance.resources
    gone = resources.model_copy(update={"server_gone": resources.server_id is not None})
    return _powered_off(_with(instance, resources=gone), at)


def _powered_on_again(instance: Instance, at: datetime) -> Instance:
    """Counts only after the server was off, and only if the fact is newer than that."""
    until = instance.powered[-1].until if instance.powered else None
    if until is None or at < until or instance.resources.server_gone:
        return instance
    return _with(instance, powered=(*instance.powered, Period(since=at)))


def _owning(instance: Instance, event: e.VolumeFound | e.VolumeResized) -> Instance:
    known = instance.resources.volumes
    if event.volume_id is None or any(event.volume_id == volume.id for volume in known):
        return instance
    scratch = isinstance(event, e.VolumeFound) and event.scratch
    return _holding(instance, volumes=(*known, Volume(id=event.volume_id, server_id=event.server_id, scratch=scratch)))


def _guarded_by(instance: Instance, security_group_id: str | None) -> Instance:
    known = instance.resources.security_group_ids
    if security_group_id is None or security_group_id in known:
        return instance
    return _holding(instance, security_group_ids=(*known, security_group_id))


def _holding(instance: Instance, **resources: Any) -> Instance:
    """Adds resources that were not known before. So there is more to release, whatever was released already."""
    before = instance.resources
    after = before.model_copy(update={name: value for name, value in resources.items() if value is not None})
    if after == before:
        return instance
    learned = {"revision": before.revision + 1, "released": False}
    return _with(instance, resources=after.model_copy(update=learned))


def _installing(instance: Instance, event: e.SshInstallStarted) -> Instance:
    """The first one counts, as it does for whoever installs."""
    if instance.reached(e.SshInstallStarted):
        return instance
    return _with(instance, worker_tls=event.worker_tls)


def _in_phase(instance: Instance, event: e.SshInstallPhaseReached) -> Instance:
    """Only forward, and only in the try that runs."""
    install = instance.install
    if event.install_try != install.failures + 1 or event.index <= install.phase_index:
        return instance
    reached = {"phase": event.phase, "phase_index": event.index, "image": event.image or install.image}
    return _with(instance, install=install.model_copy(update=reached))


def _fetching(instance: Instance, event: e.WeightsProgressed) -> Instance:
    if event.install_try != instance.install.failures + 1:
        return instance
    return _with(
        instance, weights=FetchedWeights(**{name: getattr(event, name) for name in FetchedWeights.model_fields})
    )


def _after_failed_install(instance: Instance, event: e.SshInstallFailed) -> Instance:
    if event.install_try <= instance.install.failures:
        return instance
    return _with(instance, install=Install(failures=event.install_try))


def _delayed(instance: Instance, event: e.ActionDelayed) -> Instance:
    tries = instance.failed_tries
    if event.attempt != instance.attempt or event.number <= tries.get(event.action, 0):
        return instance
    return _with(instance, failed_tries={**tries, event.action: event.number}, delay=_delay(event))


def _is_over(instance: Instance, resumed: e.ActionResumed) -> bool:
    """A late fact does not end the delay of a later try."""
    delay, this_attempt = instance.delay, resumed.attempt == instance.attempt
    return this_attempt and delay is not None and delay.action is resumed.action and delay.number <= resumed.number


def _told_of_limit(instance: Instance, limit: str) -> Instance:
    if limit in instance.limits_told:
        return instance
    return _with(instance, limits_told=(*instance.limits_told, limit))


def _released(instance: Instance, event: e.InstanceTerminated | e.ResourcesReleased) -> Instance:
    """Nothing of it is left, if that release looked for all that is recorded."""
    if instance.status in LIVE or not instance.resources.gone_with(event.server_id, event.revision):
        return instance
    released = _with(instance, resources=instance.resources.model_copy(update={"released": True}))
    return _without_its_server(released, event.occurred_at)


def _advanced(instance: Instance, event: e.Event) -> Instance:
    """Remembers a milestone whatever the status. Progress and step follow it unless the instance is ending.

    While the machine fetches the model it does other things, too: it is a step once the install waits for it.
    """
    reached = event.percent
    if reached is None or (isinstance(event, e.WeightsProgressed) and instance.install.phase != e.WEIGHTS_PHASE):
        return instance
    remembered = _with(instance, milestones=instance.milestones | {event.type()})
    if instance.status in ENDING or reached < instance.progress_percent:
        return remembered
    since = event.occurred_at if reached > instance.progress_percent else instance.progress_since
    return _with(remembered, progress_percent=reached, progress_since=since, step=event.type())


def _moved(instance: Instance, event: e.Event) -> Instance:
    status = status_after(instance.status, type(event))
    if status is instance.status:
        return instance
    changes: dict[str, Any] = {"status": status, "status_since": event.occurred_at}
    if status is Status.READY and instance.ready_at is None:
        changes["ready_at"] = event.occurred_at
    if status is Status.UNAVAILABLE:
        changes["outages"] = instance.outages + 1
    if status in FAILURES or status is Status.TERMINATING:
        changes["ended_at"] = instance.ended_at or event.occurred_at
    if isinstance(event, e.Failing) and status in FAILURES:
        changes["error"] = _failure(event)
    if isinstance(event, e.StartupFailed):
        changes["longest_context"] = event.longest_context
    return _with(instance, **changes)


def _going_on(instance: Instance) -> Instance:
    """Drops the delay of an action that is no longer the one due."""
    if instance.delay is None or instance.delay.action is due(instance):
        return instance
    return _with(instance, delay=None)


def _delay(event: e.ActionDelayed) -> Delay:
    return Delay(
        action=event.action,
        number=event.number,
        code=event.code,
        reason=event.reason,
        next_try_at=event.next_try_at,
    )


def _failure(event: e.Failing) -> Failure:
    match event:
        case e.ProvisioningFailed() | e.StartupFailed() | e.InstanceFailed():
            return Failure(code=event.code, message=event.message)
        case e.ServerLost():
            return Failure(code="server_lost", message="The server no longer exists at the provider.")
        case _:
            assert_never(event)


def _next_attempt(instance: Instance, requested: e.ReinstallRequested) -> Instance:
    """A further attempt on the same machine: the machine's milestones stay, those of vLLM are dropped."""
    if requested.attempt != instance.attempt + 1 or not moves(instance.status, e.ReinstallRequested):
        return instance
    return _with(
        instance,
        status=status_after(instance.status, e.ReinstallRequested),
        status_since=requested.occurred_at,
        progress_percent=REINSTALL,
        step=e.ReinstallRequested.__name__,
        requested_by=requested.requested_by or instance.requested_by,
        attempt=requested.attempt,
        attempt_started_at=requested.occurred_at,
        progress_since=requested.occurred_at,
        milestones=instance.milestones & KEPT_BY_A_REINSTALL,
        install=Install(),
        weights=None,
        worker_tls="off",
        max_model_len=None,
        vllm_version=None,
        longest_context=None,
        failed_tries={},
        delay=None,
        outages=0,
        error=None,
        ready_at=None,
        ended_at=None,
    )
