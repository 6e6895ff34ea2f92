"""Simulated arrivals of requests, with their past: a daily swing, office hours, bursts, and a flash crowd. Seeded."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from math import cos, exp, log, pi
from random import Random
from typing import Final

from shared.deployments.load import SLOT_S

DAY_S: Final = 86_400
PAST_DAYS: Final = 7
"""Days before the one that is played; of them only the load by the slot is known."""
_TICK_S: Final = 10
_SERVICE_S: Final = 12.0
_SERVICE_SPREAD: Final = 0.6
"""Of the logarithm of how long a request runs."""
_NO_DAYS_LEVEL: Final = 0.12
"""Standard deviation of the logarithm of a whole day's level: no day is like the one before."""

_Rate = Callable[[float], float]


@dataclass(frozen=True)
class Arrival:
    """At so many seconds of the day, a request that runs for so many seconds."""

    at_s: float
    runs_s: float


@dataclass(frozen=True)
class Trace:
    """`arrivals` of the day that is played, in order. `past` has the mean load of each slot of the days before it."""

    name: str
    arrivals: Sequence[Arrival]
    past: Sequence[float]


def simulated(seed: int) -> Iterator[Trace]:
    """The same for the same seed. Requests of `swing` and `office` come back every day; of the others nothing does."""
    for name, day in _DAYS.items():
        random = Random(f"{seed}/{name}")  # noqa: S311 - nothing secret
        days = [day(random) for _ in range(PAST_DAYS + 1)]
        past = [_SERVICE_S * rate(slot * SLOT_S) for rate in days[:-1] for slot in range(int(DAY_S / SLOT_S))]
        noisy = [max(0.0, random.gauss(load, (load / SLOT_S * _SERVICE_S) ** 0.5)) for load in past]
        yield Trace(name, list(_arrivals(random, days[-1])), noisy)


def recorded(rows: Iterable[Sequence[str]]) -> Trace:
    """From rows of a CSV: the second of the arrival, and for how many seconds it runs. Raises ValueError.

    The last day is played, and what comes before it is its past.
    """
    arrivals = [Arrival(float(row[0]), float(row[1]) if len(row) > 1 else _SERVICE_S) for row in rows if row]
    if not arrivals:
        raise ValueError("there are no arrivals")
    arrivals.sort(key=lambda arrival: arrival.at_s)
    first, last = arrivals[0].at_s, arrivals[-1].at_s
    begin = max(first, last - DAY_S)
    slots = int((begin - first) / SLOT_S)
    past = [0.0] * slots
    for arrival in arrivals:
        slot = slots + int((arrival.at_s - begin) // SLOT_S)
        if 0 <= slot < slots:
            past[slot] += arrival.runs_s / SLOT_S
    played = [Arrival(each.at_s - begin, each.runs_s) for each in arrivals if each.at_s >= begin]
    return Trace("recorded", played, past)


def _arrivals(random: Random, rate: _Rate) -> Iterator[Arrival]:
    spread = _SERVICE_SPREAD
    for tick in range(0, DAY_S, _TICK_S):
        at, until = tick + random.expovariate(max(rate(tick), 1e-9)), tick + _TICK_S
        while at < until:
            yield Arrival(at, random.lognormvariate(log(_SERVICE_S) - spread**2 / 2, spread))
            at += random.expovariate(rate(tick))


def _level(random: Random) -> float:
    return exp(random.gauss(0, _NO_DAYS_LEVEL))


def _swing(random: Random) -> _Rate:
    """Least at four in the morning, most at four in the afternoon, twelve times as much."""
    level, shift = _level(random), random.gauss(0, 600)
    return lambda at: level * (0.5 + 5.5 * ((1 - cos((at - shift - 4 * 3600) / DAY_S * 2 * pi)) / 2) ** 2)


def _office(random: Random) -> _Rate:
    """Nothing at night; from nine on within ten minutes as much as all day, but for lunch."""
    level, begin, end = _level(random), 9 * 3600 + random.gauss(0, 240), 18 * 3600 + random.gauss(0, 600)

    def rate(at: float) -> float:
        up, down = (at - begin) / 600, (end - at) / 1800
        lunch = 0.5 if 12.5 * 3600 < at < 13.5 * 3600 else 1.0
        return 4 * level * lunch * max(0.0, min(1.0, up, down))

    return rate


def _bursts(random: Random) -> _Rate:
    """A steady trickle, and about every forty minutes five times as much for some minutes."""
    bursts, at = [], 0.0
    while (at := at + random.expovariate(1 / 2400)) < DAY_S:
        bursts.append((at, at + random.uniform(120, 480)))
    return lambda at: 0.8 * (5 if any(begin <= at < end for begin, end in bursts) else 1)


def _crowd(random: Random) -> _Rate:
    """The swing at a third, and once in the day eight times as much within a minute, which takes an hour to pass."""
    usual, begin = _swing(random), random.uniform(6, 20) * 3600

    def rate(at: float) -> float:
        since = at - begin
        crowd = 0.0 if since < 0 else 7 * min(1.0, since / 60) * exp(-max(0.0, since - 1200) / 1200)
        return usual(at) / 3 * (1 + crowd)

    return rate


_DAYS: Final[dict[str, Callable[[Random], _Rate]]] = {
    "swing": _swing,
    "office": _office,
    "bursts": _bursts,
    "crowd": _crowd,
}
