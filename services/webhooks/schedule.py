"""When a message is tried again, and for how long a webhook is left alone. Pure."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

from shared.retry import doubled_s

SPREAD: Final = 0.2
"""Pauses are longer by up to this share, at random, so that many messages do not come at once."""


def next_try_at(
    tries: int, now: datetime, pauses_s: Sequence[float], *, retry_after_s: float | None, spread: float
) -> datetime | None:
    """When a message that has failed so many times is tried again; None: it is given up.

    `spread` is a random number between 0 and 1.
    """
    if tries > len(pauses_s):
        return None
    pause_s = pauses_s[tries - 1] * (1 + SPREAD * spread)
    return now + timedelta(seconds=max(pause_s, retry_after_s or 0.0))


def not_before(
    failures: int, now: datetime, *, first_s: float, longest_s: float, retry_after_s: float | None
) -> datetime:
    """Until when nothing is sent to a webhook that has failed so many times in a row, whatever message it was."""
    return now + timedelta(seconds=max(doubled_s(failures, first_s, longest_s), retry_after_s or 0.0))
