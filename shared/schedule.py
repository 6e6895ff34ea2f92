"""When a deployment's schedule turns, and which bounds hold then. Pure but for the time zones, which the system has."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from itertools import islice, takewhile
from typing import Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from cronsim import CronSim, CronSimError

from shared.deployments.load import Bounds
from shared.deployments.wish import Scaling, Turn

_FIELDS: Final = 5
"""Minute, hour, day of the month, month, day of the week. cronsim takes seconds, too."""
_MOST_TURNS: Final = 100
"""Of one entry within the time that is looked ahead."""
_REMEMBERED: Final = 4_096
"""What a deployment's schedule says is asked for again and again within the same minute."""
_ANY: Final = datetime(2026, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Mistake:
    """`number` counts the schedule's entries from 0; `field` is what is wrong in it, and `reason` says why."""

    number: int
    field: str
    reason: str


def mistakes(schedule: Sequence[Turn]) -> Iterator[Mistake]:
    """The first mistake of each entry. Two of the same moments contradict each other, or one of them says nothing."""
    first: dict[tuple[str, str], int] = {}
    for number, turn in enumerate(schedule):
        moments = " ".join(turn.cron.lower().split()), turn.time_zone
        earlier = first.setdefault(moments, number)
        if (mistake := _mistake(number, turn)) is not None:
            yield mistake
        elif earlier != number:
            reason = f"{turn.cron!r} in {turn.time_zone} is that of entry {earlier} already. Remove one."
            yield Mistake(number, "cron", reason)


def _mistake(number: int, turn: Turn) -> Mistake | None:
    try:
        zone = ZoneInfo(turn.time_zone)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        reason = f"{turn.time_zone!r} is no time zone; write one such as Europe/Paris or UTC."
        return Mistake(number, "time_zone", reason)
    if len(turn.cron.split()) != _FIELDS:
        reason = "cron needs five fields: minute, hour, day of the month, month, day of the week."
        return Mistake(number, "cron", reason)
    try:
        following = next(CronSim(turn.cron, _ANY.astimezone(zone)), None)
    except CronSimError as error:
        return Mistake(number, "cron", f"{turn.cron!r} is no cron expression: {error}.")
    if following is None:
        return Mistake(number, "cron", f"{turn.cron!r} never happens.")
    if turn.min_replicas > turn.max_replicas:
        reason = f"{turn.min_replicas} is more than max_replicas, {turn.max_replicas}."
        return Mistake(number, "min_replicas", reason)
    return None


def bounds(scaling: Scaling, now: datetime, ahead_s: float) -> tuple[Bounds, ...]:
    """The bounds in effect now, then those that begin within `ahead_s` seconds, oldest first.

    Of two entries that turn at the same moment the later one in the schedule counts. The schedule has no `mistakes`.
    """
    always = Bounds(min_replicas=scaling.min_replicas, max_replicas=scaling.max_replicas)
    turns, minute, until = scaling.schedule, _minute(now), _minute(now + timedelta(seconds=ahead_s))
    begun = max(((at, number) for number, turn in enumerate(turns) if (at := _last(turn, minute))), default=None)
    coming = sorted((at, number) for number, turn in enumerate(turns) for at in _coming(turn, minute, until))
    in_effect = always if begun is None else _bounds(turns[begun[1]], begun[0])
    return (in_effect, *(_bounds(turns[number], at) for at, number in coming))


def _bounds(turn: Turn, since: datetime) -> Bounds:
    return Bounds(min_replicas=turn.min_replicas, max_replicas=turn.max_replicas, since=since)


def _minute(at: datetime) -> datetime:
    """Its beginning: nothing turns within a minute."""
    return at.astimezone(UTC).replace(second=0, microsecond=0)


@lru_cache(_REMEMBERED)
def _last(turn: Turn, now: datetime) -> datetime | None:
    """When it turned last, now included.

    In an hour that comes twice, a turn of its first pass has been. It stands behind this one on the clock.
    """
    local = now.astimezone(ZoneInfo(turn.time_zone))
    ahead = timedelta(hours=1) if local.fold else timedelta(0)
    start = local + timedelta(seconds=1) + ahead
    before = (at.astimezone(UTC) for at in CronSim(turn.cron, start, reverse=True))
    return next((at for at in before if at <= now), None)


@lru_cache(_REMEMBERED)
def _coming(turn: Turn, now: datetime, until: datetime) -> tuple[datetime, ...]:
    following = CronSim(turn.cron, now.astimezone(ZoneInfo(turn.time_zone)))
    turns = (local.astimezone(UTC) for local in islice(following, _MOST_TURNS))
    return tuple(takewhile(lambda at: at <= until, turns))
