"""What an event stream carries, before its data are read: where it goes on, and what comes."""

from dataclasses import dataclass
from typing import Any, TypeAlias


@dataclass(frozen=True)
class Connected:
    """The stream goes on behind `position`. `away_s`: for how long it was lost; None when it opens for the first time.

    What was recorded meanwhile comes next.
    """

    position: str
    away_s: float | None = None


@dataclass(frozen=True)
class Received:
    """`position` is that of the event; of what is no event, it is that of the last one."""

    position: str
    data: dict[str, Any]


StreamMessage: TypeAlias = Connected | Received
