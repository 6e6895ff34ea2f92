"""How far an instance is, in percent and in words. Progress is the highest milestone reached in the attempt."""

from collections.abc import Mapping
from typing import Final

from shared.lifecycle.events import EVENTS, Event
from shared.lifecycle.fact import AttemptFact

PROGRESS: Final[Mapping[type[Event], int]] = {
    kind: kind.milestone for kind in EVENTS.values() if isinstance(kind.milestone, int)
}
"""Each milestone's percentage, where it is always the same."""
SPREAD: Final[Mapping[type[Event], range]] = {
    kind: kind.milestone for kind in EVENTS.values() if isinstance(kind.milestone, range)
}
"""The percentages of a milestone where they depend on the fact."""
REINSTALL: Final = 50
"""Where a further attempt begins: the machine exists and is reachable."""
KEPT_BY_A_REINSTALL: Final = frozenset(
    milestone.__name__ for milestone in PROGRESS if not issubclass(milestone, AttemptFact)
)
LABELS: Final[Mapping[str, str]] = {name: kind.label for name, kind in EVENTS.items() if kind.label is not None}
"""What an instance does after a step, in words for people."""


def label(step: str) -> str:
    """The words for a step; its name, if this version does not know it."""
    return LABELS.get(step, step)
