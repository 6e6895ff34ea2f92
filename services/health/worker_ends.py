"""Whether a worker that keeps ending will ever start. Pure."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

from services.health.worker_causes import Finding, Restart
from services.health.worker_log import WorkerEnd

_SEVERAL: Final = 3
_MINUTE: Final = timedelta(minutes=1)
_PATIENCE: Final = timedelta(minutes=10)
_LONGEST_SAID: Final = 300


@dataclass(frozen=True)
class SameEnds:
    """The latest ends of a worker, all for the same reason."""

    finding: Finding
    count: int
    since: datetime
    """When health learned of the first of them."""
    first: datetime
    last: datetime
    """When the worker ended, by its machine's clock."""
    ran: timedelta | None
    """How long the worker had run before the last end, if that is known."""

    def in_vain(self, at: datetime) -> bool:
        """Whether no further start can be hoped for at this moment.

        A worker that has got further than before is never given up: what counts are the ends, not the time since.
        """
        again = self.count >= _SEVERAL or self.last - self.first >= _MINUTE
        match self.finding.cause.restart:
            case Restart.NOTHING:
                return True
            case Restart.EARLY:
                return again or (self.ran is not None and self.ran >= _MINUTE)
            case Restart.PERHAPS:
                return again
            case Restart.MAY_PASS:
                return self.count >= _SEVERAL and at - self.since >= _PATIENCE

    def in_words(self) -> str:
        """What is wrong, what to do, and what the worker said."""
        cause, said = self.finding.cause, self.finding.said[:_LONGEST_SAID]
        times = "once" if self.count == 1 else f"{self.count} times"
        latest = "" if self.count == 1 else ", the last time"
        last = f"It ended {times}{latest} with: {said}" if said else f"It ended {times}, without a word."
        return f"{cause.means} {cause.advice} {last}"


def after_end(before: SameEnds | None, finding: Finding, end: WorkerEnd, at: datetime) -> SameEnds:
    """The ends after a further one, of which health learned `at` this moment."""
    if before is None or not finding.same_as(before.finding):
        return SameEnds(finding, 1, at, end.at, end.at, end.ran)
    return replace(before, finding=finding, count=before.count + 1, last=end.at, ran=end.ran)
