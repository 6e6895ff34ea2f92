"""Groups of statuses by which people count, sort and filter many instances."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Final

from shared.lifecycle.status import Status


class StatusGroup(StrEnum):
    """In the order of urgency."""

    FAILED = "failed"
    UNAVAILABLE = "unavailable"
    LAUNCHING = "launching"
    READY = "ready"
    ENDING = "ending"
    GONE = "gone"


GROUPS: Final[Mapping[Status, StatusGroup]] = {
    Status.PROVISIONING: StatusGroup.LAUNCHING,
    Status.BOOTING: StatusGroup.LAUNCHING,
    Status.INSTALLING: StatusGroup.LAUNCHING,
    Status.STARTING: StatusGroup.LAUNCHING,
    Status.READY: StatusGroup.READY,
    Status.UNAVAILABLE: StatusGroup.UNAVAILABLE,
    Status.DRAINING: StatusGroup.ENDING,
    Status.TERMINATING: StatusGroup.ENDING,
    Status.TERMINATED: StatusGroup.GONE,
    Status.ARCHIVED: StatusGroup.GONE,
    Status.PROVISIONING_FAILED: StatusGroup.FAILED,
    Status.STARTUP_FAILED: StatusGroup.FAILED,
    Status.FAILED: StatusGroup.FAILED,
}
ON_THEIR_WAY: Final = frozenset({StatusGroup.LAUNCHING, StatusGroup.UNAVAILABLE})
"""On the way to ready, for the first time or again."""
SETTLED: Final = frozenset({StatusGroup.FAILED, StatusGroup.READY, StatusGroup.GONE})
"""They stay so unless something happens to the instance."""


def statuses_of(*groups: StatusGroup) -> list[Status]:
    return [status for status in Status if GROUPS[status] in groups]
