"""The last meaningful line of any program's log, for people."""

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
    """The last line after `since` bytes that is not part of a traceback.

    A line that says fatal wins over the few lines after it, which may only explain it.
    """
    said = [line for line in map(_said, reversed(written(log, since).splitlines())) if line]
    fatal = (line for line in said[:_NEAR] if _FATAL.search(line))
    return next(fatal, said[0] if said else _SILENCE)[:_LONGEST]


def written(log: Path, since: int = 0) -> str:
    """The log's text after `since` bytes; empty without a log."""
    try:
        with log.open("rb") as file:
            file.seek(since)
            return file.read().decode(errors="replace")
    except OSError:
        return ""


def size(log: Path) -> int:
    """The log's size in bytes; 0 without a log."""
    try:
        return log.stat().st_size
    except OSError:
        return 0


def _said(line: str) -> str:
    """The line as a person should see it; empty for noise."""
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
