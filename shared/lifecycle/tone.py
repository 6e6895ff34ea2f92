"""Each status's meaning at a glance. Each user interface has its own colour for a tone."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Final

from shared.lifecycle.status import Status


class Tone(StrEnum):
    NEUTRAL = "neutral"
    PROGRESS = "progress"
    GOOD = "good"
    WARN = "warn"
    BAD = "bad"


TONES: Final[Mapping[Status, Tone]] = {
    Status.PROVISIONING: Tone.PROGRESS,
    Status.BOOTING: Tone.PROGRESS,
    Status.INSTALLING: Tone.PROGRESS,
    Status.STARTING: Tone.PROGRESS,
    Status.READY: Tone.GOOD,
    Status.UNAVAILABLE: Tone.WARN,
    Status.DRAINING: Tone.NEUTRAL,
    Status.TERMINATING: Tone.NEUTRAL,
    Status.TERMINATED: Tone.NEUTRAL,
    Status.ARCHIVED: Tone.NEUTRAL,
    Status.PROVISIONING_FAILED: Tone.BAD,
    Status.STARTUP_FAILED: Tone.BAD,
    Status.FAILED: Tone.BAD,
}
