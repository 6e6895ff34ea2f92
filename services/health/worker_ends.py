"""Whether a worker that keeps ending will ever start. Pure."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from services.health.worker_causes import Finding, Restart

_FEW: Final = 2
_SEVERAL: Final = 3
_SOON: Final = timedelta(seconds=60)
_PATIENCE: Final = timedelta(minutes=10)
_LONGEST_SAID: Final = 300


@dataclass(frozen=True)
class SameEnds:
    """The latest ends of a worker, all for the same reason: `since` is when health learned of the first of them."""

    finding: Finding
    count: int
    since: datetime
    last: datetime
    """When the worker ended last, by its machine's clock."""

    def in_vain(self, at: datetime) -> bool:
        """Whether no further start can be hoped for at this moment."""
        waited = at - self.since
        match self.finding.cause.restart:
            case Restart.NOTHING:
                return self.count >= _FEW or waited >= _SOON
            case Restart.PERHAPS:
                return self.count >= _SEVERAL or (self.count >= _FEW and waited >= _SOON)
            case Restart.MAY_PASS:
                return self.count >= _SEVERAL and waited >= _PATIENCE

    def in_words(self) -> str:
        """What is wrong, what to do, and what the worker said."""
        cause, said = self.finding.cause, self.finding.said[:_LONGEST_SAID]
        times = "once" if self.count == 1 else f"{self.count} times"
        last = f"It ended {times}, the last time with: {said}" if said else f"It ended {times}, without a word."
        return f"{cause.means} {cause.advice} {last}"


def after_end(before: SameEnds | None, finding: Finding, ended_at: datetime, at: datetime) -> SameEnds:
    """The ends after a further one at `ended_at` by the machine's clock, of which health learned `at` this moment."""
    if before is None or not finding.same_as(before.finding):
        return SameEnds(finding, 1, at, ended_at)
    return SameEnds(finding, before.count + 1, before.since, ended_at)
