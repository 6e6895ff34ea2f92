"""Each milestone's percentage. Progress is the highest one that the attempt has reached."""

from collections.abc import Mapping
from typing import Final

from shared.lifecycle import events as e

PROGRESS: Final[Mapping[type[e.Event], int]] = {
    e.InstanceRequested: 5,
    e.InstanceCreated: 20,
    e.VolumeResized: 25,
    e.InstanceStarted: 30,
    e.IpAssigned: 40,
    e.PortsOpened: 45,
    e.SshReachable: 50,
    e.SshInstallStarted: 55,
    e.SshInstallCompleted: 60,
    e.WorkerReachable: 70,
    e.ModelLoaded: 80,
    e.WarmupCompleted: 90,
    e.HealthPassed: 95,
    e.InstanceReady: 100,
}
PHASES: Final = range(55, 60)
"""The percentages of SshInstallPhaseReached."""
MODEL_LOAD: Final = range(61, 80)
"""The percentages of ModelLoadProgressed."""
REINSTALL: Final = 50
"""Where a further attempt begins: the machine exists and is reachable."""

KEPT_BY_A_REINSTALL: Final = frozenset(
    milestone.__name__ for milestone in PROGRESS if not issubclass(milestone, e.AttemptFact)
)

LABELS: Final[Mapping[str, str]] = {
    "InstanceRequested": "creating the server",
    "InstanceCreated": "growing the volume",
    "VolumeResized": "powering on",
    "InstanceStarted": "waiting for an address",
    "IpAssigned": "opening the ports",
    "PortsOpened": "waiting for SSH",
    "SshReachable": "connecting over SSH",
    "SshInstallStarted": "installing",
    "SshInstallPhaseReached": "installing",
    "SshInstallCompleted": "waiting for the worker",
    "WorkerReachable": "waiting for the model",
    "ModelLoadProgressed": "loading the model",
    "ModelLoaded": "warming up",
    "WarmupCompleted": "checking health",
    "HealthPassed": "confirming health",
    "InstanceReady": "ready",
    "ReinstallRequested": "reinstalling",
}
"""What an instance does after a step, in words for people."""


def label(step: str) -> str:
    """The words for a step; its name, if this version does not know it."""
    return LABELS.get(step, step)


def percent(event: e.Event) -> int | None:
    """The progress of an instance that has reached this, 0 to 100; None for a fact that is no milestone."""
    match event:
        case e.SshInstallPhaseReached(index=index, total=total):
            return PHASES.start + (len(PHASES) - 1) * min(index, total) // total
        case e.ModelLoadProgressed(fraction=fraction):
            return MODEL_LOAD.start + int((len(MODEL_LOAD) - 1) * fraction)
        case _:
            return PROGRESS.get(type(event))
