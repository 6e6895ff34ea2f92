"""The pauses between two looks at something that is about to change."""

from collections.abc import Iterator
from typing import Final

_FIRST_LOOK_S: Final = 0.1


def looks(longest: float) -> Iterator[float]:
    """Pauses in seconds: short while it may change soon, then `longest`."""
    pause = _FIRST_LOOK_S
    while True:
        yield min(pause, longest)
        pause = min(longest, pause * 1.5)
