"""The statuses of an instance, and the groups that the laws use."""

from enum import StrEnum
from typing import Final


class Status(StrEnum):
    PROVISIONING = "provisioning"
    BOOTING = "booting"
    INSTALLING = "installing"
    STARTING = "starting"
    READY = "ready"
    UNAVAILABLE = "unavailable"
    DRAINING = "draining"
    TERMINATING = "terminating"
    TERMINATED = "terminated"
    ARCHIVED = "archived"
    PROVISIONING_FAILED = "provisioning_failed"
    STARTUP_FAILED = "startup_failed"
    FAILED = "failed"


FAILURES: Final = frozenset({Status.PROVISIONING_FAILED, Status.STARTUP_FAILED, Status.FAILED})
GONE: Final = frozenset({Status.TERMINATED, Status.ARCHIVED})
ENDING: Final = FAILURES | GONE | {Status.DRAINING, Status.TERMINATING}
"""Progress and step stop changing here, so a person sees where the instance stopped (law 5)."""
LIVE: Final = frozenset(Status) - FAILURES - GONE - {Status.TERMINATING}
STARTING_UP: Final = frozenset({Status.BOOTING, Status.INSTALLING, Status.STARTING})
WATCHED: Final = STARTING_UP | {Status.READY, Status.UNAVAILABLE, Status.DRAINING}
"""Health watches an instance in these (booting: once it has an address) (law 7)."""
INSTALL_AHEAD: Final = frozenset({Status.PROVISIONING, Status.BOOTING, Status.INSTALLING})
"""Its install has not ended, and may still print."""
SERVING: Final = frozenset({Status.READY, Status.UNAVAILABLE, Status.DRAINING})
"""Requests may be running on its worker."""
PUT_AWAY: Final = frozenset({Status.ARCHIVED})
"""Lists leave these out unless asked."""
