"""How long to wait: before the next try, and between two looks."""

import random
from collections.abc import Iterator
from typing import Final

_LARGEST_DOUBLING: Final = 20
_FIRST_LOOK_S: Final = 0.1


def backoff_s(number: int, first: float, longest: float, retry_after: float | None = None) -> float:
    """Before try `number` + 1: doubled each time, up to half of it random, never sooner than the other side asks."""
    pause = min(longest, first * 2.0 ** min(number - 1, _LARGEST_DOUBLING))
    return max(pause * random.uniform(0.5, 1.0), retry_after or 0.0)  # noqa: S311  only spreads load


def looks(longest: float) -> Iterator[float]:
    """Pauses between looks at something that is about to change: short while that may be soon, then `longest`."""
    pause = _FIRST_LOOK_S
    while True:
        yield min(pause, longest)
        pause = min(longest, pause * 1.5)
