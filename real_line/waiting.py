"""Waiting for real things, which send no events: a look every tenth of a second, with an end."""

import time
from collections.abc import Callable
from typing import Final, TypeVar

_PAUSE_S: Final = 0.1
Seen = TypeVar("Seen")


class TooLate(Exception):
    """What was waited for has not happened in time."""


def until(look: Callable[[], Seen], what: str, within_s: float) -> Seen:
    """The first answer of `look` that is true. Raises TooLate."""
    deadline = time.monotonic() + within_s
    while not (seen := look()):
        if time.monotonic() > deadline:
            raise TooLate(f"{what}: not within {within_s:g} s (last seen: {seen!r}).")
        time.sleep(_PAUSE_S)
    return seen
