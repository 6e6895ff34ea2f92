"""How long to wait before something is tried again."""

import random
from typing import Final

FIRST_S: Final = 0.1
LONGEST_S: Final = 2.0
_LARGEST_DOUBLING: Final = 20


def pause_s(failures: int, retry_after: float | None = None) -> float:
    """Seconds after so many failures in a row: doubled after each, up to half of it random, never below what is asked.

    `retry_after`: what the other side asks for.
    """
    doubled = min(LONGEST_S, FIRST_S * 2.0 ** min(failures - 1, _LARGEST_DOUBLING))
    return max(doubled * random.uniform(0.5, 1.0), retry_after or 0.0)  # noqa: S311  only spreads load
