"""How far an instance is, in percent and in words. Progress is the highest milestone reached in the attempt."""

from bisect import bisect_right
from collections.abc import Mapping
from typing import Final, get_args

from shared.lifecycle import events as e
from shared.lifecycle.events import EVENTS, MODEL_LOAD, Event
from shared.lifecycle.fact import AttemptFact
from shared.lifecycle.wish import Purpose

PROGRESS: Final[Mapping[type[Event], int]] = {
    kind: kind.milestone for kind in EVENTS.values() if isinstance(kind.milestone, int)
}
"""Each milestone's percentage, where it is always the same."""
SPREAD: Final[Mapping[type[Event], range]] = {
    kind: kind.milestone for kind in EVENTS.values() if isinstance(kind.milestone, range)
}
"""The percentages of a milestone where they depend on the fact."""
REINSTALL: Final = 50
"""Where a further attempt begins: the machine exists and is reachable."""
KEPT_BY_A_REINSTALL: Final = frozenset(
    milestone.__name__ for milestone in PROGRESS if not issubclass(milestone, AttemptFact)
)
LABELS: Final[Mapping[str, str]] = {name: kind.label for name, kind in EVENTS.items() if kind.label is not None}
"""What an instance does after a step, in words for people."""
_BEGIN_NO_STEP: Final = (e.WorkerReachable, e.InstanceReady, e.MachineImageStored)
"""The worker's port opens while its model loads; with the others all is done."""


def _steps(purpose: Purpose) -> Mapping[int, type[Event]]:
    begins = {**PROGRESS, e.ModelLoadProgressed: MODEL_LOAD.start}
    kinds = (kind for kind in begins if kind.purpose in (None, purpose) and kind not in _BEGIN_NO_STEP)
    return {begins[kind]: kind for kind in sorted(kinds, key=begins.__getitem__)}


STEP_EVENTS: Final[Mapping[Purpose, Mapping[int, type[Event]]]] = {
    purpose: _steps(purpose) for purpose in get_args(Purpose)
}
"""The percentage at which each step begins, and with which event, by what the instance is for."""
STEPS: Final[Mapping[int, str]] = {percent: LABELS[kind.__name__] for percent, kind in STEP_EVENTS["serve"].items()}
"""The same in words for people, of an instance that is to serve."""
INSTALL: Final = PROGRESS[e.SshInstallStarted]
"""The percentage at which the step of the install begins."""
PHASES: Final[Mapping[str, str]] = {
    "preflight": "checking the machine",
    "host_key": "changing its host key",
    "data_disk": "preparing its data disk",
    "docker_install": "installing Docker",
    "nvidia_toolkit": "installing the NVIDIA toolkit",
    "image_pull": "pulling the image",
    "weights": "fetching the weights",
    "worker_start": "starting the worker",
    "warm": "running the model once",
    "seal": "sealing the machine image",
}
"""What the install does in each of its phases, in words for people."""
LINKING_THE_WEIGHTS: Final = "linking the weights"
WAITING_TO_TRY_AGAIN: Final = "waiting to try the install again"


def label(step: str) -> str:
    """The words for a step; its name, if this version does not know it."""
    return LABELS.get(step, step)


def phase_label(phase: str) -> str:
    """The words for a phase of the install; its name, if this version does not know it."""
    return PHASES.get(phase, phase.replace("_", " "))


def step_at(percent: int, purpose: Purpose) -> int:
    """The percentage at which the step begins that runs at `percent`."""
    begun = list(STEP_EVENTS[purpose])
    return begun[max(bisect_right(begun, percent) - 1, 0)]
