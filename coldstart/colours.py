"""The colours of a terminal: one for each tone of a status."""

from collections.abc import Mapping
from typing import Final

from rich.text import Text

from shared.description import Description
from shared.lifecycle.status import Status
from shared.lifecycle.tone import TONES, Tone

_COLOURS: Final[Mapping[Tone, str]] = {
    Tone.NEUTRAL: "bright_black",
    Tone.PROGRESS: "cyan",
    Tone.GOOD: "green",
    Tone.WARN: "yellow",
    Tone.BAD: "red",
}


def colour(tone: Tone) -> str:
    return _COLOURS[tone]


def colour_of(status: Status) -> str:
    return colour(TONES[status])


def painted(instance: Description) -> Text:
    """Its status in words and in its colour."""
    return Text(instance.status_label, colour(instance.tone))
