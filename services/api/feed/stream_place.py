"""A place in the event stream, as clients get it in an event's id and send it back."""

import re
from dataclasses import dataclass
from typing import Final, Self

from shared.bus.marks import Mark

_ID: Final = re.compile(r"([0-9a-f]{8})(?:\.([0-9a-f]{1,16}))?-([0-9]{1,18})")


@dataclass(frozen=True)
class StreamPlace:
    """Everything up to `sequence` is known. `epoch` is of the installation; the mark is None, or of that event.

    As text: the epoch, the moment of the mark in hexadecimal, and the sequence, as in `1f3a5c7e.18d0c2b8a6e4f210-17`.
    """

    epoch: str
    sequence: int
    mark: Mark | None = None

    @classmethod
    def read(cls, text: str) -> Self | None:
        """None for a text that is no place."""
        if (match := _ID.fullmatch(text)) is None:
            return None
        epoch, stored, sequence = match[1], match[2], int(match[3])
        return cls(epoch, sequence, Mark(sequence, int(stored, 16)) if stored else None)

    def __str__(self) -> str:
        if self.mark is None or self.mark.sequence != self.sequence:
            return f"{self.epoch}-{self.sequence}"
        return f"{self.epoch}.{self.mark.stored_ns:x}-{self.sequence}"
