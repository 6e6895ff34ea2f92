"""Which steps of a launch the next one waited for: from its events, with the time that the other steps had to spare."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Annotated, Final

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from shared.lifecycle.instance import Instance
from shared.lifecycle.status import ENDING
from shared.lifecycle.stretches import Attempt, Moment, Stretch
from shared.lifecycle.weights_beside import with_weights
from shared.lifecycle.wish import Purpose
from shared.lifecycle.words import waits_for
from shared.plain_text import PlainText

_MILLISECONDS: Final = 3


class LaunchOutcome(StrEnum):
    """READY: it serves, or its machine image is stored. STOPPED: it failed or was ended before that."""

    RUNNING = "running"
    READY = "ready"
    STOPPED = "stopped"


class Interval(BaseModel):
    """One step of a launch, from when it could begin until it had ended; `ended_at` is null while it runs.

    `step` is the event that begins it or a phase of the install, in the `install_try`-th try; `percent` is the progress
    of that step. `after`: the steps that had to end before. `critical`: any second less would have been one less of the
    launch. `slack_seconds`: how much later it might have ended with nothing else later; 0 if it is critical.
    """

    model_config = ConfigDict(frozen=True)

    step: str
    label: PlainText
    percent: int
    install_try: int | None
    after: tuple[str, ...]
    began_at: AwareDatetime
    ended_at: AwareDatetime | None
    seconds: Annotated[float, Field(ge=0)]
    critical: bool
    slack_seconds: Annotated[float, Field(ge=0)]


class CriticalPath(BaseModel):
    """One attempt, up to where it became ready or stopped, or until `as_of`.

    Its critical intervals follow each other without a gap, and add up to `seconds`. There are none as long as the read
    model has none of its events. `waits_for`: the step that it waits for now, null unless it runs.
    """

    model_config = ConfigDict(frozen=True)

    attempt: int
    outcome: LaunchOutcome
    began_at: AwareDatetime
    ended_at: AwareDatetime | None
    as_of: AwareDatetime
    seconds: float
    waits_for: PlainText | None
    intervals: tuple[Interval, ...]


def critical_path(
    moments: Iterable[Moment], attempt: int, at: datetime, purpose: Purpose = "serve"
) -> CriticalPath | None:
    """Of the attempt with that number, as known at `at`; None if its beginning is not among the moments.

    `moments` are those of one instance, in the order of versions; `purpose` is what it is for.
    """
    lived = Attempt.of(moments, attempt, purpose)
    if not lived.stretches:
        return None
    until = lived.ended or max(at, lived.at)
    stretches = with_weights(lived.stretches, lived.fetched, until)
    intervals = tuple(_interval(stretch, until) for stretch in stretches)
    running = [interval for interval in intervals if interval.critical and interval.ended_at is None]
    return CriticalPath(
        attempt=attempt,
        outcome=_outcome(ready=lived.ready, over=lived.ended is not None),
        began_at=intervals[0].began_at,
        ended_at=lived.ended,
        as_of=at,
        seconds=_seconds(until - intervals[0].began_at),
        waits_for=running[0].label if running else None,
        intervals=intervals,
    )


def without_intervals(instance: Instance, at: datetime) -> CriticalPath:
    """Of its current attempt, as far as the instance alone tells it."""
    over = instance.status in ENDING
    ended = instance.ready_at or (instance.status_since if over else None)
    return CriticalPath(
        attempt=instance.attempt,
        outcome=_outcome(ready=instance.ready_at is not None, over=over),
        began_at=instance.attempt_started_at,
        ended_at=ended,
        as_of=at,
        seconds=_seconds(max((ended or at) - instance.attempt_started_at, timedelta())),
        waits_for=waits_for(instance),
        intervals=(),
    )


def _interval(stretch: Stretch, until: datetime) -> Interval:
    return Interval(
        step=stretch.step,
        label=stretch.label,
        percent=stretch.percent,
        install_try=stretch.install_try,
        after=stretch.after,
        began_at=stretch.began,
        ended_at=stretch.ended,
        seconds=_seconds((stretch.ended or until) - stretch.began),
        critical=stretch.spare is None,
        slack_seconds=_seconds(stretch.spare or timedelta()),
    )


def _outcome(*, ready: bool, over: bool) -> LaunchOutcome:
    if ready:
        return LaunchOutcome.READY
    return LaunchOutcome.STOPPED if over else LaunchOutcome.RUNNING


def _seconds(duration: timedelta) -> float:
    return round(duration.total_seconds(), _MILLISECONDS)
