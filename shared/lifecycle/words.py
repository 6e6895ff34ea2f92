"""What is said of an instance, in the same words wherever it is shown: its status, what it is doing, why it failed."""

from collections.abc import Mapping
from typing import Final

from shared.lifecycle.instance import Delay, Failure
from shared.lifecycle.progress import label
from shared.lifecycle.status import FAILURES, Status

NAMES: Final[Mapping[Status, str]] = {status: status.replace("_", " ") for status in Status}
INSTEAD_OF_THE_STEP: Final[Mapping[Status, str]] = {
    Status.READY: "",
    Status.UNAVAILABLE: "not answering",
    Status.DRAINING: "letting requests end",
    Status.TERMINATING: "deleting what it holds",
    Status.TERMINATED: "",
    Status.ARCHIVED: "",
}
"""Where the last step says nothing of now; empty where the status says it all."""


def doing(status: Status, step: str, failure: Failure | None = None, delay: Delay | None = None) -> str:
    """As `where`, but of one that failed why it did."""
    return failure.message if status in FAILURES and failure is not None else where(status, step, delay)


def where(status: Status, step: str, delay: Delay | None = None) -> str:
    """What it is doing and what holds that up, or at what it failed; empty where its status says it all."""
    words = INSTEAD_OF_THE_STEP.get(status, label(step))
    return words if delay is None else f"{words}: {delay.reason} (try {delay.number})"


def cause(failure: Failure) -> str:
    """With the code, by which one can look it up."""
    return f"{failure.code}: {failure.message}"
