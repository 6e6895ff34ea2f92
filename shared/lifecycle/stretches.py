"""The steps of one attempt, one behind the other, as its events tell them."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final, NamedTuple, Self

from shared.lifecycle import events as e
from shared.lifecycle.events import Event
from shared.lifecycle.fact import AttemptFact
from shared.lifecycle.instance import Instance
from shared.lifecycle.progress import INSTALL, PROGRESS, STEP_EVENTS, WAITING_TO_TRY_AGAIN, label, phase_label, step_at
from shared.lifecycle.status import ENDING, Status
from shared.lifecycle.wish import Purpose

_READY: Final = PROGRESS[e.InstanceReady]
_LONG_AGO: Final = datetime.min.replace(tzinfo=UTC)


class Moment(NamedTuple):
    """An event, and its instance's attempt, progress in percent and status after it."""

    event: Event
    attempt: int
    percent: int
    status: Status

    @classmethod
    def of(cls, event: Event, after: Instance) -> Self:
        return cls(event, after.attempt, after.progress_percent, after.status)


@dataclass
class Stretch:
    """One step, from when it could begin until it had ended; `ended` is None while it runs.

    `spare` is how much later it might have ended with nothing else later; None: it is critical. `after`: what it had to
    wait for.
    """

    percent: int
    step: str
    label: str
    began: datetime
    after: tuple[str, ...] = ()
    ended: datetime | None = None
    install_try: int | None = None
    spare: timedelta | None = None


class Attempt:
    """What happened in one attempt until it was ready, its machine image was stored, or it stopped.

    Events come in the order of versions.
    """

    def __init__(self, number: int, purpose: Purpose) -> None:
        self.number = number
        self._steps = STEP_EVENTS[purpose]
        self._purpose: Purpose = purpose
        self.stretches: list[Stretch] = []
        self.ended: datetime | None = None
        self.ready = False
        self.at: datetime = _LONG_AGO
        """The moment of its last event. Times never run backwards here."""
        self.fetched: dict[int, datetime | None] = {}
        """When each try of the install that told of weights had them all."""
        self._failures = 0
        self._phase_index = 0

    @classmethod
    def of(cls, moments: Iterable[Moment], number: int, purpose: Purpose) -> Self:
        attempt = cls(number, purpose)
        for moment in moments:
            if attempt.ended is None and moment.attempt == number:
                attempt._take(moment)
        return attempt

    def _take(self, moment: Moment) -> None:
        event = moment.event
        if not self.stretches and not isinstance(event, e.InstanceRequested | e.ReinstallRequested):
            return  # its beginning is not known
        self.at = max(self.at, event.occurred_at)
        if moment.status is Status.READY or moment.status in ENDING:
            self.ready = moment.percent >= _READY
            self.ended = self.at
            self._end_last(self.at)
            return
        percent = step_at(moment.percent, self._purpose)
        own = isinstance(event, AttemptFact) and event.attempt == self.number
        failed = own and isinstance(event, e.SshInstallFailed) and self._failed(event)
        if not self.stretches or percent > self.stretches[-1].percent:
            step = self._steps[percent].__name__
            self._begin(percent, step, label(step))
            failed = percent == INSTALL and self._failures > 0
        if failed and percent == INSTALL:
            self._begin(INSTALL, e.SshInstallFailed.__name__, WAITING_TO_TRY_AGAIN)
        if own and percent == INSTALL and isinstance(event, e.SshInstallPhaseReached):
            self._reach(event)
        if own and isinstance(event, e.WeightsProgressed):
            self._fetch(event)

    def _failed(self, event: e.SshInstallFailed) -> bool:
        """Counts the try, even one that is told before the install's beginning; False if it was counted before."""
        if event.install_try <= self._failures:
            return False
        self._failures, self._phase_index = event.install_try, 0
        return True

    def _reach(self, event: e.SshInstallPhaseReached) -> None:
        """A phase counts as for the instance: only forward, and only in the try that runs."""
        if event.install_try == self._failures + 1 and event.index > self._phase_index:
            self._phase_index = event.index
            self._begin(INSTALL, event.phase, phase_label(event.phase), event.install_try)

    def _fetch(self, event: e.WeightsProgressed) -> None:
        if event.install_try == self._failures + 1:
            there = self.at if event.fetched_bytes >= event.total_bytes else None
            self.fetched[event.install_try] = self.fetched.get(event.install_try) or there

    def _begin(self, percent: int, step: str, words: str, install_try: int | None = None) -> None:
        after = (self.stretches[-1].step,) if self.stretches else ()
        self._end_last(self.at)
        self.stretches.append(Stretch(percent, step, words, self.at, after, install_try=install_try))

    def _end_last(self, at: datetime) -> None:
        if self.stretches:
            self.stretches[-1].ended = at
