"""The clock by which a service judges: its own, or the event stream's server's while its own is certainly wrong.

The server's is the one clock of all services: what two of them record, compare or count a cost by agrees, however wrong
a machine's clock is.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

TOLERATED_S: Final = 0.5
"""An own clock that is wrong by less is used as it is."""


def _own() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True)
class ClockOffset:
    """At `monotonic`, in seconds, the server's clock showed `server`, give or take `within_s`; ours `ahead_s` more."""

    server: datetime
    monotonic: float
    ahead_s: float
    within_s: float

    @property
    def certainly_wrong(self) -> bool:
        return abs(self.ahead_s) > self.within_s + TOLERATED_S


class Clock:
    """`own` is this machine's; `monotonic`, in seconds, is moved by nobody."""

    def __init__(self, own: Callable[[], datetime] = _own, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._own = own
        self._monotonic = monotonic
        self.measured: ClockOffset | None = None

    def now(self) -> datetime:
        found = self.measured
        if found is None or not found.certainly_wrong:
            return self._own()
        return found.server + timedelta(seconds=self._monotonic() - found.monotonic)

    def begin(self) -> tuple[datetime, float]:
        """What both show when the server is asked for its time."""
        return self._own(), self._monotonic()

    def learn(self, server: datetime, began: tuple[datetime, float]) -> ClockOffset:
        """The server has answered a question that was asked at `began` with its own time."""
        own, asked = began
        half_s = (self._monotonic() - asked) / 2
        ahead_s = (own - server).total_seconds() + half_s
        self.measured = ClockOffset(server, asked + half_s, ahead_s, half_s)
        return self.measured


CLOCK: Final = Clock()
"""This process's."""


def seconds() -> float:
    """The present by this process's clock, in seconds since 1970."""
    return CLOCK.now().timestamp()
