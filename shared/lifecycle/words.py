"""The words for an instance, the same wherever it is shown: its status, what it is doing, why it failed."""

from collections.abc import Mapping
from typing import Final

from shared.lifecycle.decide import Intent
from shared.lifecycle.events import WEIGHTS_PHASE, WeightsProgressed
from shared.lifecycle.instance import Delay, Failure, FetchedWeights, Instance
from shared.lifecycle.progress import (
    INSTALL,
    LINKING_THE_WEIGHTS,
    STEP_EVENTS,
    WAITING_TO_TRY_AGAIN,
    label,
    phase_label,
    step_at,
)
from shared.lifecycle.status import FAILURES, STARTING_UP, Status

NAMES: Final[Mapping[Status, str]] = {status: status.replace("_", " ") for status in Status}
_GB: Final = 10**9
_MB: Final = 10**6
INSTEAD_OF_THE_STEP: Final[Mapping[Status, str]] = {
    Status.READY: "",
    Status.UNAVAILABLE: "not answering",
    Status.DRAINING: "finishing running requests",
    Status.TERMINATING: "deleting its resources",
    Status.TERMINATED: "",
    Status.ARCHIVED: "",
}
"""For statuses in which the last step no longer describes it; empty if the status says it all."""
STOPPED_WITH_MODELS: Final = "stopped, which has erased its models"
LOADING_AGAIN: Final = "downloading its models again: the stop of its server has erased them"
ADVICE: Final[Mapping[Status, str]] = {
    Status.PROVISIONING_FAILED: "Its resources are released. Launch another, in other zones or of another type.",
    Status.STARTUP_FAILED: "Its machine is released. To inspect a failed machine, launch with keep_for_inspection.",
    Status.FAILED: "What is left of it is released. Launch another in its place.",
}
KEPT: Final = "Its machine is kept for inspection. Reinstall it, or terminate it to stop paying for it."
CONSEQUENCES: Final[Mapping[Intent, str]] = {
    Intent.DRAIN: "New requests go elsewhere, running ones may finish. Then it is terminated and its machine released.",
    Intent.TERMINATE: "Running requests are cut off, and all its resources at the provider are deleted. "
    "This cannot be undone.",
    Intent.REINSTALL: "The worker is installed again on the same machine, and answers nothing until it is ready.",
    Intent.ARCHIVE: "It disappears from the lists. Its history is kept.",
}
"""What a person is told before confirming one."""
RELAUNCH: Final = (
    "Another instance is launched with the same wishes or, where the cause has an obvious mend, with that. "
    "This one stays as it is."
)
"""What a person is told before launching a failed instance again."""


def doing(status: Status, step: str, failure: Failure | None = None, delay: Delay | None = None) -> str:
    """Like `where`, but for a failed instance why it failed."""
    return failure.message if status in FAILURES and failure is not None else where(status, step, delay)


def where(status: Status, step: str, delay: Delay | None = None) -> str:
    """What it is doing and what delays that, or at what it failed; empty if its status says it all."""
    words = INSTEAD_OF_THE_STEP.get(status, label(step))
    return words if delay is None else f"{words}: {delay.reason} (try {delay.number})"


def fetched(weights: FetchedWeights | WeightsProgressed) -> str:
    """How much of the model is on the machine."""
    of_all = of_bytes(weights.fetched_bytes, weights.total_bytes)
    return f"{of_all} of the model are on the machine: {weights.files} of {weights.files_total} files"


def of_bytes(part: int, total: int) -> str:
    """In 10⁹ bytes; in 10⁶ if there are few."""
    unit, name = (_GB, "GB") if total >= _GB else (_MB, "MB")
    return f"{part / unit:.1f} of {total / unit:.1f} {name}"


def waits_for(instance: Instance) -> str | None:
    """The step or the phase of the install that a launch waits for now; None for an instance that does not launch."""
    if instance.status not in STARTING_UP | {Status.PROVISIONING}:
        return None
    purpose = instance.specification.purpose
    step = step_at(instance.progress_percent, purpose)
    words = label(STEP_EVENTS[purpose][step].__name__)
    if step != INSTALL:
        return words
    install, weights = instance.install, instance.weights
    there = weights is not None and weights.install_try == install.failures + 1 and weights.complete
    if install.phase == WEIGHTS_PHASE and there:
        return LINKING_THE_WEIGHTS
    if install.phase is not None:
        return phase_label(install.phase)
    return WAITING_TO_TRY_AGAIN if install.failures else words


def cause(failure: Failure) -> str:
    """The failure's code and message; people look it up by the code."""
    return f"{failure.code}: {failure.message}"


def loss(instance: Instance) -> str | None:
    """What an unavailable instance has lost by the stop of its server; None if it has all its models."""
    if instance.status is not Status.UNAVAILABLE or not instance.has_scratch:
        return None
    if instance.models_erased_at is not None:
        return LOADING_AGAIN
    return None if instance.server_on or not instance.powered else STOPPED_WITH_MODELS


def advice(instance: Instance) -> str | None:
    """What happens to a failed instance, and what to do; None for any other."""
    return KEPT if instance.held_for_inspection else ADVICE.get(instance.status)
