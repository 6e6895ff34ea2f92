"""What a log says last, for people: one line, of whichever program wrote it."""

import json
import re
from pathlib import Path
from typing import Any, Final

_LONGEST: Final = 300
_NEAR: Final = 5
_FATAL: Final = re.compile(r"\b(FATAL|PANIC|FTL)\b")
_SILENCE: Final = "it says nothing"
_WRAPPERS: Final = ("Traceback", "During handling", "The above exception", "+-", "| ")


def last_words(log: Path, since: int = 0) -> str:
    """The last line that is no part of a traceback, of what was written after `since` bytes.

    A server that ends calls the reason fatal, and may explain it in the lines after.
    """
    said = [line for line in map(_said, reversed(written(log, since).splitlines())) if line]
    fatal = (line for line in said[:_NEAR] if _FATAL.search(line))
    return next(fatal, said[0] if said else _SILENCE)[:_LONGEST]


def written(log: Path, since: int = 0) -> str:
    """What a log holds after `since` bytes; empty where there is none."""
    try:
        with log.open("rb") as file:
            file.seek(since)
            return file.read().decode(errors="replace")
    except OSError:
        return ""


def size(log: Path) -> int:
    """In bytes; 0 where there is none yet."""
    try:
        return log.stat().st_size
    except OSError:
        return 0


def _said(line: str) -> str:
    """Empty for what says nothing to a person."""
    text = line.rstrip()
    if text.startswith("{"):
        try:
            return _of_event(json.loads(text))
        except ValueError:
            return text
    indented = text[:1].isspace() or text.lstrip(" |+-").startswith(_WRAPPERS) or text.startswith(_WRAPPERS)
    return "" if indented else text


def _of_event(event: dict[str, Any]) -> str:
    """An event of the services' own logs: what happened, and why."""
    cause = str(event.get("exception") or "").strip().splitlines()
    why = event.get("reason") or (cause[-1] if cause else "")
    return f"{event.get('event', '')}: {why}" if why else str(event.get("event", ""))
