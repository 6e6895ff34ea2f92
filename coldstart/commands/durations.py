"""Durations as people type them: `900`, `30m`, `8h`, `7d`."""

import re
from typing import Final

import typer

_SECONDS: Final = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86_400}


def seconds(typed: str) -> int:
    """Raises typer.BadParameter."""
    match = re.fullmatch(r"([1-9][0-9]{0,8})([smhd]?)", typed.strip())
    if match is None:
        raise typer.BadParameter(f"invalid duration {typed!r}. Use 90, 30m, 8h or 7d.")
    return int(match[1]) * _SECONDS[match[2]]
