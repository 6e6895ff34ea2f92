"""What the load was, is and will be. Pure."""

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from math import sqrt
from statistics import median
from typing import Final

from shared.deployments.load import SAMPLE_S, SLOT_S, Demand, Lead, Sample

TREND_S: Final = 300
"""A trend is read from so many seconds, and is expected to go on for as many at most."""
_LATELY_S: Final = 20
_DRAINED_S: Final = 60
"""Those who wait are to be served in so many seconds once there is room."""
_USUAL_REQUEST_S: Final = 15.0
"""Where nobody knows how long a request takes."""
_FEWEST: Final = 6
_CERTAIN: Final = 3
"""A rise counts beyond so many standard errors of it."""
_SAMPLE: Final = timedelta(seconds=SAMPLE_S)
_SLOT: Final = timedelta(seconds=SLOT_S)
_DAY: Final = timedelta(days=1)
_DAYS: Final = 7
_FIT: Final = timedelta(hours=1)
"""How today compares with other days is read from the last hour."""
_MOST_TODAY: Final = 2.0
_RECURS: Final = timedelta(hours=6)
"""A load that comes back in so long is kept room for."""
_OFTEN: Final = 3


@dataclass(frozen=True)
class Capacity:
    """So many replicas are ready, and each takes so many requests."""

    ready: int
    per_replica: float


@dataclass(frozen=True)
class Outlook:
    """Requests in flight and held.

    `lately`: the mean of the last 20 seconds. `running`: how many of them would run if none had to wait. `trend`: at
    the end of the lead, if it goes on rising as now. `usual`: the most within the p90 of the lead, by other days; 0
    where nothing is known of them.
    """

    lately: float
    running: float
    trend: float
    usual: float


def outlook(demand: Demand, lead: Lead, capacity: Capacity, begun: datetime, now: datetime) -> Outlook:
    """What is beyond the capacity is waiting, and its growth is no trend. Since `begun` there could be load."""
    lately, room = _mean_lately(demand, now), capacity.ready * capacity.per_replica
    overloaded = lately > room
    running = _unqueued(demand, lately, room, now) if overloaded else lately
    rise = 0.0 if overloaded else _rise(demand.recent, now, lead.p50_s)
    return Outlook(
        lately=lately,
        running=running,
        trend=running + rise,
        usual=_usual_soon(demand.history, lead, capacity.per_replica, begun, now) if demand.history else 0.0,
    )


def recurring(history: Sequence[Sample], load: float, gap: timedelta, now: datetime) -> bool:
    """Whether the load was above this again and again in the last hours, each time after being below for `gap`."""
    times, last = 0, now - _RECURS - gap
    for slot in history[bisect_left(history, last + gap, key=_begin) :]:
        if (slot.mean + slot.peak) / 2 > load:
            times += slot.at - last >= gap
            last = slot.at + _SLOT
    return times >= _OFTEN


def periods(lead: Lead, now: datetime) -> Iterator[tuple[datetime, datetime]]:
    """What an outlook reads of the history, oldest first: its begin and its end."""
    ahead = timedelta(seconds=lead.p90_s) + 2 * _SLOT
    for day in range(_DAYS, 0, -1):
        yield now - day * _DAY - _FIT - _SLOT, now - day * _DAY + ahead
    yield now - _RECURS, now


def covered(samples: Sequence[Sample], begin: datetime, now: datetime) -> bool:
    """Whether the samples, oldest first, leave no gap from `begin` to now; the last may still be in the making."""
    reached = begin + _SAMPLE
    for sample in samples:
        if sample.at > reached + _SAMPLE / 2:
            return False
        reached = max(reached, sample.at + _SAMPLE)
    return reached >= now - 2 * _SAMPLE


def since(samples: Sequence[Sample], at: datetime) -> list[Sample]:
    """Those that end after `at`, oldest first."""
    found: list[Sample] = []
    for sample in reversed(samples):
        if sample.at + _SAMPLE <= at:
            break
        found.append(sample)
    return found[::-1]


def _mean_lately(demand: Demand, now: datetime) -> float:
    lately = [sample.mean for sample in since(demand.recent, now - timedelta(seconds=_LATELY_S))]
    return sum([*lately, demand.in_flight + demand.held]) / (len(lately) + 1)


def _unqueued(demand: Demand, lately: float, room: float, now: datetime) -> float:
    """How many requests would run if none had to wait, and so many more that those who wait are served soon.

    A queue says little of that: it grows for as long as a machine takes to come. What runs at once is what arrives in a
    second, times the seconds that a request takes (Little's law).
    """
    lately_seen = since(demand.recent, now - timedelta(seconds=_LATELY_S))
    counted = [sample.arriving for sample in lately_seen if sample.arriving is not None]
    arriving = sum(counted) / len(counted) if counted else demand.arriving_per_s
    lasts = _lasts(demand.recent, room)
    return min(lately, max(room, arriving * lasts) + (lately - room) * lasts / max(_DRAINED_S, lasts))


def _lasts(samples: Sequence[Sample], room: float) -> float:
    """For how many seconds a request runs, by the time when none had to wait."""
    counted = [(each.mean, each.arriving) for each in samples if each.arriving is not None and each.mean <= room]
    arrived = sum(arriving for _, arriving in counted)
    return sum(load for load, _ in counted) / arrived if arrived * SAMPLE_S >= _FEWEST else _USUAL_REQUEST_S


def _rise(recent: Sequence[Sample], now: datetime, lead_s: float) -> float:
    """By how much the load grows within the lead, at least: a line through the last minutes, less its uncertainty."""
    loads = [sample.mean for sample in since(recent, now - timedelta(seconds=TREND_S))]
    number = len(loads)
    if number < _FEWEST:
        return 0.0
    middle, mean = (number - 1) / 2, sum(loads) / number
    spread = number * (number**2 - 1) / 12
    slope = sum((place - middle) * load for place, load in enumerate(loads)) / spread
    if slope <= 0:
        return 0.0
    errors = sum((load - mean - slope * (place - middle)) ** 2 for place, load in enumerate(loads))
    certain = slope - _CERTAIN * sqrt(errors / (number - 2) / spread)
    return max(0.0, certain) * min(lead_s / SAMPLE_S, number)


def _usual_soon(history: Sequence[Sample], lead: Lead, per_replica: float, begun: datetime, now: datetime) -> float:
    """The most of other days from now to the p90 of the lead, as much higher or lower as today has been lately."""
    begin, end = now - _FIT, now + timedelta(seconds=lead.p90_s) + _SLOT
    usual, seen = _usual(history, begun, begin, end), _loads(history, begin, now)
    ahead = max(usual[len(seen) - 1 :], default=0.0)
    little = per_replica * len(seen) / 4
    return ahead * min((sum(seen) + little) / (sum(usual[: len(seen)]) + little), _MOST_TODAY)


def _usual(history: Sequence[Sample], begun: datetime, begin: datetime, end: datetime) -> list[float]:
    """By the slot, what most days had, and the same day of last week too, or else yesterday. Empty on the first day."""
    known = [day for day in range(1, _DAYS + 1) if begin - day * _DAY >= begun]
    days = [_loads(history, begin - day * _DAY, end - day * _DAY) for day in known]
    alike = days[-1 if _DAYS in known else 0] if days else []
    return [min(load, median(loads)) for load, *loads in zip(alike, *days, strict=True)]


def _loads(history: Sequence[Sample], begin: datetime, end: datetime) -> list[float]:
    """The means of the slots that begin in this time; what is missing had no load."""
    found = [0.0] * int((end - begin) // _SLOT)
    first = bisect_left(history, begin, key=_begin)
    for slot in history[first : first + len(found)]:
        place = (slot.at - begin) // _SLOT
        if place >= len(found):
            break
        found[place] = slot.mean
    return found


def _begin(slot: Sample) -> datetime:
    return slot.at
