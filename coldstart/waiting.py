"""How long there still is to wait, in the few words that a person needs."""

from collections.abc import Callable, Mapping
from math import ceil
from typing import Any, Final

_MINUTE: Final = 60
_HOUR: Final = 3600
_ANY_MOMENT_S: Final = 5
_SECONDS_UP_TO: Final = 95
_MINUTES_UP_TO: Final = 90 * _MINUTE
_TENS: Final = 10


def expected(eta: Mapping[str, Any]) -> str:
    """An `eta` of the api, such as `ready in about 2 min, 90 % within 4 min`."""
    soon = "ready any moment" if eta["p50_seconds"] < _ANY_MOMENT_S else f"ready in about {_in(eta['p50_seconds'])}"
    surely = _in(eta["p90_seconds"], ceil)
    return soon if soon.endswith(f" {surely}") else f"{soon}, 90 % within {surely}"


def _in(seconds: float, rounded: Callable[[float], int] = round) -> str:
    """In tens of seconds, minutes or half hours: nobody waits by the second."""
    if seconds <= _SECONDS_UP_TO:
        return f"{max(rounded(seconds / _TENS), 1) * _TENS} s"
    if seconds <= _MINUTES_UP_TO:
        return f"{rounded(seconds / _MINUTE)} min"
    return f"{rounded(seconds / (_HOUR / 2)) / 2:g} h"
