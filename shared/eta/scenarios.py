"""How past launches continued from one point of progress, prepared for estimating this one.

Whole launches are compared, on a logarithmic scale. If slow beginnings had slow ends in the past, this launch's pace
so far changes the estimate of its rest. The residuals of the past launches are the spread.

Time in the running step only rules out past launches whose step was shorter. A longer step can only make the rest
longer, so waiting never moves the expected time earlier.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import exp, log
from typing import Final

from shared.eta.launch import MILESTONES, Launch, first_percent

HALF_LIFE: Final = 7
"""After this many newer launches, a launch counts half: clouds, networks and images drift."""
_PRIOR_SLOPE: Final = 0.4
_PRIOR_WEIGHT: Final = 0.5
"""Weight of the prior for the tie between beginning and end: as much as about ten launches."""
_WIDEST: Final = log(3)
"""However slow a beginning was (an hour without stock), it changes the rest at most by this factor."""
_PARETO: Final = 2.0
"""Of launches that take longer than any before, one in four takes twice as long in the end."""
_TAIL_POINTS: Final = 4
_TAIL: Final = [(1 - (point + 0.5) / _TAIL_POINTS) ** (-1 / _PARETO) for point in range(_TAIL_POINTS)]
_RESTS: Final = 12
_LEAST_S: Final = 1.0
_ROUNDING: Final = 1e-9

Weighted = tuple[float, float]
"""A value and its weight."""


@dataclass(frozen=True)
class Tie:
    """How the logarithm of the rest depends on that of the beginning: by `slope` around `centre`."""

    slope: float
    centre: float

    @classmethod
    def between(cls, been: Sequence[float], come: Sequence[float], weights: Sequence[float]) -> "Tie":
        total = sum(weights)
        centre = sum(w * x for w, x in zip(weights, been, strict=True)) / total
        middle = sum(w * y for w, y in zip(weights, come, strict=True)) / total
        spread = sum(w * (x - centre) ** 2 for w, x in zip(weights, been, strict=True))
        shared = sum(w * (x - centre) * (y - middle) for w, x, y in zip(weights, been, come, strict=True))
        slope = (shared + _PRIOR_WEIGHT * _PRIOR_SLOPE) / (spread + _PRIOR_WEIGHT)
        return cls(min(max(slope, 0.0), 1.0), centre)

    def factor(self, been: float) -> float:
        """The factor on the typical rest after `been` seconds."""
        return exp(self.slope * min(max(_log(been) - self.centre, -_WIDEST), _WIDEST))

    def typical(self, come: float, been: float) -> float:
        """The rest that a launch whose beginning took `been` seconds would have had after a typical beginning."""
        return come / exp(self.slope * min(max(been - self.centre, -_WIDEST), _WIDEST))


@dataclass(frozen=True)
class Scenarios:
    """`steps`: typical seconds of the running step, with weights; `rests`: of all later steps, equally likely."""

    steps: tuple[Weighted, ...]
    tail_weight: float
    step_tie: Tie
    rests: tuple[float, ...]
    rest_tie: Tie

    @classmethod
    def of(cls, launches: Iterable[Launch], attempt: int, percent: int) -> "Scenarios":
        """From past launches, newest first, for an attempt at `percent`, which is below that of ready."""
        begin = first_percent(attempt)
        end = next(milestone for milestone in MILESTONES if milestone > percent)
        spans = [_spans(launch, begin, percent, end) for launch in launches]
        weights = [0.5 ** (age / HALF_LIFE) for age in range(len(spans))]
        passed = [_log(before) for before, _, _ in spans]
        ended = [_log(before + step) for before, step, _ in spans]
        step_tie = Tie.between(passed, [_log(step) for _, step, _ in spans], weights)
        rest_tie = Tie.between(ended, [_log(rest) for _, _, rest in spans], weights)
        steps = [step_tie.typical(step, been) for (_, step, _), been in zip(spans, passed, strict=True)]
        rests = [rest_tie.typical(rest, been) for (_, _, rest), been in zip(spans, ended, strict=True)]
        half = sum(weights) / len(weights) / 2
        return cls(
            steps=tuple(zip(steps, weights, strict=True)),
            tail_weight=half,
            step_tie=step_tie,
            rests=_evenly([*zip(rests, weights, strict=True), *_tail(max(rests), half)]),
            rest_tie=rest_tie,
        )

    def lasting(self, passed: float, waited: float, shares: Sequence[float]) -> list[float]:
        """Seconds from the running step's beginning to ready, for each of these shares of all cases.

        `passed`: seconds from the attempt's beginning to this step; `waited`: seconds in the step so far.
        """
        pace = self.step_tie.factor(passed)
        steps = [(typical * pace, weight) for typical, weight in self.steps]
        longest = max(step for step, _ in steps)
        possible = [(step, weight) for step, weight in steps if step >= waited]
        possible += _tail(max(longest, waited, _LEAST_S), self.tail_weight)
        ends = []
        for step, weight in possible:
            factor = self.rest_tie.factor(passed + step)
            ends += [(step + rest * factor, weight) for rest in self.rests]
        return quantiles(ends, shares)


def _spans(launch: Launch, begin: int, percent: int, end: int) -> tuple[float, float, float]:
    """Seconds to `percent`, from there to `end`, and from there to ready."""
    arrived, left = launch.at(percent), launch.after(end)
    return arrived - launch.at(begin), left - arrived, launch.seconds - left


def _log(seconds: float) -> float:
    return log(seconds + _LEAST_S)


def _tail(longest: float, weight: float) -> list[Weighted]:
    """The next launch is longer than all n before it in one case of n + 1.

    The running step and the rest are equally likely to be the cause, so each counts as half a launch.
    """
    return [(longest * factor, weight / _TAIL_POINTS) for factor in _TAIL]


def _evenly(values: Sequence[Weighted]) -> tuple[float, ...]:
    return tuple(quantiles(values, [(point + 0.5) / _RESTS for point in range(_RESTS)]))


def quantiles(values: Sequence[Weighted], shares: Sequence[float]) -> list[float]:
    """For each share, in rising order, the least value that this share of the weight does not exceed."""
    ordered = sorted(values)
    total = sum(weight for _, weight in ordered)
    found: list[float] = []
    reached, index = 0.0, -1
    for share in shares:
        while index < len(ordered) - 1 and (index < 0 or reached < share * total - _ROUNDING * total):
            index += 1
            reached += ordered[index][1]
        found.append(ordered[index][0])
    return found
