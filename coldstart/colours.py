"""The colours of a terminal: one for each tone of a status."""

from collections.abc import Mapping
from typing import Final

from rich.text import Text

from shared.lifecycle.status import Status
from shared.lifecycle.tone import TONES, Tone
from shared.lifecycle.words import NAMES

_COLOURS: Final[Mapping[Tone, str]] = {
    Tone.NEUTRAL: "bright_black",
    Tone.PROGRESS: "cyan",
    Tone.GOOD: "green",
    Tone.WARN: "yellow",
    Tone.BAD: "red",
}


def colour(status: str) -> str:
    """Raises ValueError for a status that this version does not know."""
    return _COLOURS[TONES[Status(status)]]


def painted(status: str) -> Text:
    """The status in words, in its colour. Raises ValueError as `colour` does."""
    return Text(NAMES[Status(status)], colour(status))
