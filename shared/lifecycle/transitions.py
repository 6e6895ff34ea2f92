"""Every legal move. Nothing else assigns a status; docs/lifecycle.md is drawn from this table."""

from collections.abc import Mapping
from typing import Final

from shared.lifecycle import events as e
from shared.lifecycle.status import Status

_ENDS_OF_A_LIVE_ONE: Final[Mapping[type[e.Event], Status]] = {
    e.InstanceFailed: Status.FAILED,
    e.ServerLost: Status.FAILED,
    e.TerminationRequested: Status.TERMINATING,
}
_ENDS_OF_ONE_THAT_STARTS: Final[Mapping[type[e.Event], Status]] = {
    **_ENDS_OF_A_LIVE_ONE,
    e.LifetimeLimitReached: Status.TERMINATING,
}
_ENDS_OF_ONE_THAT_SERVED: Final[Mapping[type[e.Event], Status]] = {
    **_ENDS_OF_A_LIVE_ONE,
    e.LifetimeLimitReached: Status.DRAINING,
    e.DrainRequested: Status.DRAINING,
}
_ENDS_OF_A_FAILED_ONE: Final[Mapping[type[e.Event], Status]] = {
    e.TerminationRequested: Status.TERMINATING,
    e.InstanceArchived: Status.ARCHIVED,
}

TRANSITIONS: Final[Mapping[Status, Mapping[type[e.Event], Status]]] = {
    Status.PROVISIONING: {
        e.InstanceStarted: Status.BOOTING,
        e.ProvisioningFailed: Status.PROVISIONING_FAILED,
        **_ENDS_OF_ONE_THAT_STARTS,
    },
    Status.BOOTING: {
        e.SshInstallStarted: Status.INSTALLING,
        e.SshInstallCompleted: Status.STARTING,
        e.MachineSealed: Status.INSTALLING,
        e.InstanceReady: Status.READY,
        e.ProvisioningFailed: Status.PROVISIONING_FAILED,
        e.StartupFailed: Status.STARTUP_FAILED,
        **_ENDS_OF_ONE_THAT_STARTS,
    },
    Status.INSTALLING: {
        e.SshInstallCompleted: Status.STARTING,
        e.MachineImageStored: Status.TERMINATING,
        e.InstanceReady: Status.READY,
        e.StartupFailed: Status.STARTUP_FAILED,
        e.ServerStopped: Status.BOOTING,
        e.ReinstallRequested: Status.INSTALLING,
        **_ENDS_OF_ONE_THAT_STARTS,
    },
    Status.STARTING: {
        e.InstanceReady: Status.READY,
        e.StartupFailed: Status.STARTUP_FAILED,
        e.ServerStopped: Status.BOOTING,
        e.ReinstallRequested: Status.INSTALLING,
        **_ENDS_OF_ONE_THAT_STARTS,
    },
    Status.READY: {
        e.HealthLost: Status.UNAVAILABLE,
        e.ServerStopped: Status.UNAVAILABLE,
        e.IdleLimitReached: Status.DRAINING,
        e.ReinstallRequested: Status.INSTALLING,
        **_ENDS_OF_ONE_THAT_SERVED,
    },
    Status.UNAVAILABLE: {
        e.HealthRestored: Status.READY,
        e.ReinstallRequested: Status.INSTALLING,
        **_ENDS_OF_ONE_THAT_SERVED,
    },
    Status.DRAINING: {
        e.Drained: Status.TERMINATING,
        **_ENDS_OF_A_LIVE_ONE,
    },
    Status.TERMINATING: {e.InstanceTerminated: Status.TERMINATED},
    Status.TERMINATED: {e.InstanceArchived: Status.ARCHIVED},
    Status.ARCHIVED: {},
    Status.PROVISIONING_FAILED: _ENDS_OF_A_FAILED_ONE,
    Status.STARTUP_FAILED: {
        e.ReinstallRequested: Status.INSTALLING,
        e.LifetimeLimitReached: Status.TERMINATING,
        **_ENDS_OF_A_FAILED_ONE,
    },
    Status.FAILED: _ENDS_OF_A_FAILED_ONE,
}


def status_after(status: Status, event: type[e.Event]) -> Status:
    """The status after the event. Total: an event without a move here leaves the status as it is."""
    return TRANSITIONS[status].get(event, status)


def moves(status: Status, event: type[e.Event]) -> bool:
    return event in TRANSITIONS[status]
