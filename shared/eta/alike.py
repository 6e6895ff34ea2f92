"""Which of a group's past launches say how long the next one takes: those of its kind, since the last change."""

from collections import defaultdict
from collections.abc import Sequence
from itertools import accumulate
from math import log, sqrt
from typing import Final

from shared.eta.launch import Launch
from shared.eta.start import Start

FEWEST: Final = 3
"""Launches that a group needs to be used; as many in a row make a change of method."""
MOST: Final = 40
"""How many of a group's newest launches are used; each counts a little less than the next newer one."""
_CLEARLY: Final = 5.0
"""A change is believed if the means of before and after are so many standard errors apart."""
_LEAST_SPREAD: Final = 0.1
"""Of a whole launch's logarithm, even if a few launches happened to take equally long."""


class Alike:
    """Launches of one group, added from the newest to the oldest."""

    def __init__(self) -> None:
        self._newest: list[Launch] = []
        self._by_start: dict[Start, list[Launch]] = defaultdict(list)
        self._found: dict[Start, Sequence[Launch]] = {}

    def add(self, launch: Launch) -> None:
        for launches in (self._newest, self._by_start[launch.start]):
            if len(launches) < MOST:
                launches.append(launch)

    def like(self, known: Start) -> Sequence[Launch]:
        """Newest first. Those that began as the newest few did, as far as that fits what is known; else all."""
        if known not in self._found:
            self._found[known] = since_change(self._of_one_start(known))
        return self._found[known]

    def _of_one_start(self, known: Start) -> list[Launch]:
        fitting = {start: launches for start, launches in self._by_start.items() if start.fits(known)}
        newest = sorted(
            (launch for launches in fitting.values() for launch in launches),
            key=lambda launch: (launch.ready_at, launch.instance_id, launch.attempt),
            reverse=True,
        )
        if len(newest) < FEWEST:
            return self._newest
        lately = {launch.start for launch in newest[:FEWEST]}
        return fitting[lately.pop()] if len(lately) == 1 else newest[:MOST]


def since_change(launches: list[Launch]) -> list[Launch]:
    """The newest launches, back to where all became clearly faster or slower. All, if they never did, or just now."""
    took = [log(launch.seconds + 1) for launch in launches]
    sums, squares = list(accumulate(took)), list(accumulate(value * value for value in took))
    cuts = range(1, len(took) - FEWEST + 1)
    distances = {cut: _distance(cut, len(took), sums, squares) for cut in cuts}
    cut = max(cuts, key=distances.__getitem__, default=0)
    return launches[:cut] if cut >= FEWEST and distances[cut] > _CLEARLY else launches


def _distance(cut: int, count: int, sums: Sequence[float], squares: Sequence[float]) -> float:
    """Of the means before and after, in standard errors. Sums and squares are running totals."""
    after, before = sums[cut - 1] / cut, (sums[-1] - sums[cut - 1]) / (count - cut)
    within = squares[-1] - cut * after * after - (count - cut) * before * before
    spread = max(sqrt(max(within, 0.0) / (count - 2)), _LEAST_SPREAD)
    return abs(after - before) / (spread * sqrt(1 / cut + 1 / (count - cut)))
