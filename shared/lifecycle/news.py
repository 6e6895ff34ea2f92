"""Whether a fact still says something new about the instance. The journal asks on every reload."""

from collections.abc import Mapping
from typing import Final, assert_never

from shared.lifecycle import events as e
from shared.lifecycle.fact import Action, AttemptFact, Conclusion, Decided, PlainMilestone
from shared.lifecycle.instance import Instance
from shared.lifecycle.status import ENDING, FAILURES, GONE, Status
from shared.lifecycle.transitions import moves

DONE: Final[Mapping[Action, type[e.Event]]] = {
    Action.CREATE: e.InstanceCreated,
    Action.RESIZE_VOLUME: e.VolumeResized,
    Action.POWER_ON: e.InstanceStarted,
    Action.AWAIT_ADDRESS: e.IpAssigned,
    Action.OPEN_PORTS: e.PortsOpened,
    Action.INSTALL: e.SshInstallCompleted,
    Action.STORE_IMAGE: e.MachineImageStored,
}
"""The milestone that ends each action; a release ends with InstanceTerminated or ResourcesReleased.

An install for a machine image ends with MachineSealed instead.
"""


def is_news(instance: Instance, event: e.Event) -> bool:  # noqa: C901, PLR0911, PLR0912, PLR0915 - a match over every event is one idea
    """False for what the instance already knows, and for a conclusion that no longer holds."""
    if isinstance(event, AttemptFact) and event.attempt != instance.attempt:
        return False
    if event.purpose not in (None, instance.specification.purpose):
        return False
    resources, image = instance.resources, instance.stored_image
    match event:
        case PlainMilestone() | e.VolumeResized() | e.InstanceStarted() | e.IpAssigned() | e.PortsOpened():
            return not instance.reached(type(event))
        case Conclusion():
            return moves(instance.status, type(event))
        case Decided():
            return True
        case e.MachineImageChosen(image_id=image_id):
            return all(image_id != chosen.id for chosen in instance.chosen_images)
        case e.MachineImageUnusable(image_id=image_id):
            return image_id not in instance.unusable_images if image_id else not instance.no_image_list
        case e.InstanceCreated(server_id=server_id):
            return server_id not in (resources.server_id, *resources.duplicate_server_ids)
        case e.VolumeFound(volume_id=volume_id):
            return all(volume_id != volume.id for volume in resources.volumes)
        case e.SecurityGroupFound(security_group_id=security_group_id):
            return security_group_id not in resources.security_group_ids
        case e.SshInstallPhaseReached(install_try=install_try, index=index):
            running = install_try == instance.install.failures + 1 and index > instance.install.phase_index
            return running and not instance.reached(e.SshInstallCompleted, e.MachineSealed, e.InstanceReady)
        case e.WeightsProgressed(install_try=install_try, tenths=tenths):
            known = instance.weights
            further = (
                known is None
                or known.install_try != install_try
                or tenths > e.tenths(known.fetched_bytes, known.total_bytes)
            )
            open_to_it = instance.status in {Status.BOOTING, Status.INSTALLING}
            return open_to_it and further and install_try == instance.install.failures + 1
        case e.SshInstallFailed(install_try=install_try):
            open_to_it = instance.status in {Status.BOOTING, Status.INSTALLING}
            return open_to_it and install_try > instance.install.failures and not instance.reached(e.MachineSealed)
        case e.MachineImageStored():
            return moves(instance.status, e.MachineImageStored) and instance.reached(e.MachineSealed)
        case e.MachineImageRetired(image_id=image_id):
            return image is not None and image.id == image_id and not (image.retired_at or image.deleted_at)
        case e.MachineImageDeleted(image_id=image_id):
            return image is not None and image.id == image_id and image.deleted_at is None
        case e.HostKeyRotated(counter=counter):
            return counter > resources.host_key
        case e.ModelLoadProgressed():
            return instance.status not in ENDING and event.percent > instance.progress_percent
        case e.ActionDelayed(action=action, attempt=attempt, number=number):
            return attempt == instance.attempt and number > instance.failed_tries.get(action, 0)
        case e.ActionResumed(action=action, attempt=attempt, number=number):
            delay = instance.delay
            of_it = delay is not None and delay.action is action and delay.number <= number
            return of_it and attempt == instance.attempt
        case e.ProvisioningFailed(action=action):
            done = DONE.get(action)
            return moves(instance.status, e.ProvisioningFailed) and not (done and instance.reached(done))
        case e.HealthLost(outage=outage):
            return moves(instance.status, e.HealthLost) and outage == instance.outages + 1
        case e.HealthRestored(outage=outage):
            return moves(instance.status, e.HealthRestored) and outage == instance.outages
        case e.LifetimeLimitReached():
            left_alone = instance.status is Status.STARTUP_FAILED and not instance.kept
            return moves(instance.status, e.LifetimeLimitReached) and not left_alone
        case e.SpendingLimitReached(remembered_as=limit):
            return instance.status not in ENDING and limit not in instance.limits_told
        case e.ServerLost(server_id=server_id):
            return instance.in_use and server_id == resources.server_id
        case e.ServerDeleted(server_id=server_id):
            return not (instance.in_use or resources.server_gone) and server_id == resources.server_id
        case e.ServerStopped(server_id=server_id, occurred_at=at):
            was_on = instance.server_on and at >= instance.powered[-1].since
            by_others = instance.in_use and not instance.reached(e.MachineSealed)
            return by_others and was_on and server_id == resources.server_id
        case e.ServerRestarted(server_id=server_id, occurred_at=at):
            until = instance.powered[-1].until if instance.powered else None
            was_off = until is not None and at >= until
            return instance.in_use and was_off and server_id == resources.server_id
        case e.AddressChanged(server_id=server_id, ip_address=ip_address):
            had_another = instance.ip_address not in (None, ip_address)
            return instance.in_use and server_id == resources.server_id and had_another
        case e.InstanceTerminated(server_id=server_id, revision=revision):
            return moves(instance.status, e.InstanceTerminated) and resources.gone_with(server_id, revision)
        case e.ResourcesReleased(server_id=server_id, revision=revision):
            ended = instance.status in FAILURES | GONE and not resources.released
            return ended and resources.gone_with(server_id, revision)
        case _:
            assert_never(event)
