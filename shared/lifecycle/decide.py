"""Turns each intent into a fact, or raises IntentRefused with a reason that a person can act on."""

from collections.abc import Callable, Mapping
from datetime import datetime
from enum import StrEnum
from typing import Final

from shared.lifecycle.errors import InstanceConflict, IntentRefused
from shared.lifecycle.events import (
    DrainRequested,
    Event,
    InstanceArchived,
    InstanceRequested,
    ReinstallRequested,
    TerminationRequested,
)
from shared.lifecycle.instance import Instance
from shared.lifecycle.status import ENDING, FAILURES, GONE, Status
from shared.lifecycle.transitions import moves


class Intent(StrEnum):
    """What a person may ask of an instance that exists."""

    DRAIN = "drain"
    TERMINATE = "terminate"
    REINSTALL = "reinstall"
    ARCHIVE = "archive"


def possible_actions(instance: Instance, at: datetime) -> tuple[Intent, ...]:
    """The intents that would not be refused now, in the order of `Intent`. Whoever offers actions asks here."""
    return tuple(intent for intent in Intent if _is_allowed(intent, instance, at))


def request(existing: Instance | None, requested: InstanceRequested) -> InstanceRequested | None:
    """None if the same was requested before. Raises InstanceConflict if something else was.

    Only the wish is compared: for the same wish admission may find something else another time.
    """
    if existing is None:
        return requested
    if existing.specification != requested.specification:
        raise InstanceConflict(existing.id)
    return None


def drain(instance: Instance, at: datetime) -> DrainRequested:
    if not moves(instance.status, DrainRequested):
        raise IntentRefused(
            "drain", f"the instance is {instance.status}; only a ready or unavailable one can be drained."
        )
    return DrainRequested(instance_id=instance.id, occurred_at=at)


def terminate(instance: Instance, at: datetime) -> TerminationRequested:
    if instance.status is Status.TERMINATING:
        raise IntentRefused("terminate", "the instance is being terminated already.")
    if instance.status in GONE:
        raise IntentRefused("terminate", f"the instance is {instance.status}; nothing of it is left.")
    return TerminationRequested(instance_id=instance.id, occurred_at=at)


def end(instance: Instance, at: datetime) -> DrainRequested | TerminationRequested:
    """Drain an instance that serves; terminate one that is starting or was kept. Refused if it is ending already."""
    if instance.status in ENDING and not instance.held_for_inspection:
        raise IntentRefused("end", f"the instance is {instance.status} already.")
    return drain(instance, at) if moves(instance.status, DrainRequested) else terminate(instance, at)


def reinstall(instance: Instance, at: datetime) -> ReinstallRequested:
    """Open the next attempt. Needs a recorded, unreleased server; after startup_failed, one that was kept."""
    if not moves(instance.status, ReinstallRequested):
        raise IntentRefused("reinstall", f"the instance is {instance.status}.")
    if instance.specification.builds_image:
        raise IntentRefused("reinstall", "a machine image is made of it; build another one.")
    if instance.resources.server_id is None or instance.resources.released:
        raise IntentRefused("reinstall", "the instance has no server any more; create another instance.")
    if instance.status is Status.STARTUP_FAILED and not instance.kept:
        raise IntentRefused("reinstall", "its server is being released; create another with keep_for_inspection.")
    return ReinstallRequested(instance_id=instance.id, occurred_at=at, attempt=instance.attempt + 1)


def archive(instance: Instance, at: datetime) -> InstanceArchived:
    if instance.status is Status.ARCHIVED:
        raise IntentRefused("archive", "the instance is archived already.")
    if instance.status not in FAILURES | {Status.TERMINATED}:
        raise IntentRefused("archive", f"the instance is {instance.status}; terminate it first.")
    if not instance.resources.released:
        raise IntentRefused("archive", "something of it may still exist at the provider; terminate it first.")
    return InstanceArchived(instance_id=instance.id, occurred_at=at)


DECISIONS: Final[Mapping[Intent, Callable[[Instance, datetime], Event]]] = {
    Intent.DRAIN: drain,
    Intent.TERMINATE: terminate,
    Intent.REINSTALL: reinstall,
    Intent.ARCHIVE: archive,
}
"""Each takes the instance and the time of its fact, and raises IntentRefused."""


def _is_allowed(intent: Intent, instance: Instance, at: datetime) -> bool:
    try:
        DECISIONS[intent](instance, at)
    except IntentRefused:
        return False
    return True
