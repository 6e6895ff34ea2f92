"""How late this process's event loop runs: what seems slow outside may be slow in here."""

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Final, NoReturn

from prometheus_client import Histogram

_PERIOD_S: Final = 0.1
_KEPT: Final = 1_200
"""Samples: two minutes of them."""

_lag: Final = Histogram(
    "coldstart_event_loop_lag_seconds",
    "How much later than planned the event loop runs what is due, sampled ten times a second",
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0),
)


class LoopLag:
    """Samples of the lag, of the last two minutes. `clock` is the loop's own, in seconds."""

    def __init__(self, clock: Callable[[], float] | None = None) -> None:
        self._clock = clock or (lambda: asyncio.get_running_loop().time())
        self._samples: deque[tuple[float, float]] = deque(maxlen=_KEPT)
        self._due: float | None = None

    async def run(self) -> NoReturn:
        """The owner cancels it."""
        while True:
            self.expect(_PERIOD_S)
            await asyncio.sleep(_PERIOD_S)
            self.sample()

    def expect(self, in_s: float) -> None:
        """The next sample is due in so many seconds."""
        self._due = self._clock() + in_s

    def sample(self) -> None:
        now = self._clock()
        late_s = self._overdue(now)
        self._samples.append((now, late_s))
        self._due = None
        _lag.observe(late_s)

    def since(self, began: float) -> float:
        """The largest lag, in seconds, that was met after `began`; one that still lasts counts."""
        now = self._clock()
        worst = self._overdue(now)
        for at, late_s in reversed(self._samples):
            if at < began:
                break
            worst = max(worst, late_s)
        return worst

    def _overdue(self, now: float) -> float:
        return 0.0 if self._due is None else max(0.0, now - self._due)
