"""How long there still is to wait, and how long something has lasted, in the few words that a person needs."""

from collections.abc import Callable
from datetime import datetime, timedelta
from math import ceil
from typing import Final

from shared.eta.estimate import Estimate

_MINUTE: Final = 60
_HOUR: Final = 3600
_ANY_MOMENT_S: Final = 5
_SECONDS_UP_TO: Final = 95
_MINUTES_UP_TO: Final = 90 * _MINUTE
_TENS: Final = 10
_NEAR: Final = timedelta(hours=12)


def expected(eta: Estimate) -> str:
    """An `eta` of the api, such as `ready in about 2 min, at 14:30; 90 % within 4 min, by 14:31`."""
    likely, surely = soon(eta), _in(eta.p90_seconds, ceil)
    at, by = _clock(eta.ready_at_p50, eta.p50_seconds), _clock(eta.ready_at_p90, eta.p90_seconds)
    most = "" if likely.endswith(f" {surely}") else f"; 90 % within {surely}, by {by}"
    return f"ready {likely}, at {at}{most}"


def briefly(eta: Estimate) -> str:
    """As `in about 2 min, by 14:32`: half of all are ready by then, and by that time of the clock 90 % are."""
    return f"{soon(eta)}, by {_clock(eta.ready_at_p90, eta.p90_seconds)}"


def soon(eta: Estimate) -> str:
    """As `in about 2 min`."""
    return "any moment" if eta.p50_seconds < _ANY_MOMENT_S else f"in about {_in(eta.p50_seconds)}"


def next_try(at: datetime, now: datetime) -> str:
    """As `next try at 14:30:05`; `trying again` once that moment has passed."""
    return f"next try at {at.astimezone():%H:%M:%S}" if at > now else "trying again"


def lasted(seconds: float) -> str:
    """As `42 s`, `3 min 05 s` or `2 h 10 min`."""
    whole = max(int(seconds), 0)
    if whole < _MINUTE:
        return f"{whole} s"
    if whole < _HOUR:
        return f"{whole // _MINUTE} min {whole % _MINUTE:02} s"
    return f"{whole // _HOUR} h {whole % _HOUR // _MINUTE:02} min"


def _clock(ready_at: datetime, seconds: float) -> str:
    """As `14:32`; with the day where it could be taken for another one. `seconds`: how long until then."""
    at = ready_at.astimezone()
    asked = at - timedelta(seconds=seconds)
    near = at - asked < _NEAR or at.date() == asked.date()
    return f"{at:%H:%M}" if near else f"{at:%a %H:%M}"


def _in(seconds: float, rounded: Callable[[float], int] = round) -> str:
    """In tens of seconds, minutes or half hours: nobody waits by the second."""
    if seconds <= _SECONDS_UP_TO:
        return f"{max(rounded(seconds / _TENS), 1) * _TENS} s"
    if seconds <= _MINUTES_UP_TO:
        return f"{rounded(seconds / _MINUTE)} min"
    return f"{rounded(seconds / (_HOUR / 2)) / 2:g} h"
