"""The options of every supported version in one small table: what changed, and in which version."""

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

WITH_DEFAULT: Final = frozenset({"--gpu-memory-utilization"})
"""The options whose default is used here."""


def table(dumps: Mapping[str, Sequence[Mapping[str, Any]]], allowed: Iterable[str]) -> dict[str, Any]:
    """`dumps` holds what `dump.py` printed, by version, the earliest first. Options that are not allowed are left out.

    Of each option: `there`, `deprecated` and each of its `choices` are lists of versions, in the first of which it
    appeared, in the second disappeared, and so on. `takes` and `default` hold values by the version that brought them.
    """
    by_version = {
        version: {name: option for option in options for name in option["names"]} for version, options in dumps.items()
    }
    options = {name: _changes(name, by_version) for name in sorted(allowed)}
    return {"versions": list(dumps), "options": options}


def written(made: Mapping[str, Any]) -> str:
    """As JSON with each list of versions on one line, so that a change is a changed line."""
    return re.sub(r"\[\s+([^\[\]{}]*?)\s+\]", _on_one_line, json.dumps(made, indent=1)) + "\n"


def _on_one_line(found: re.Match[str]) -> str:
    return f"[{' '.join(found[1].split())}]"


def _changes(name: str, by_version: Mapping[str, Mapping[str, Mapping[str, Any]]]) -> dict[str, Any]:
    option = {version: options.get(name) for version, options in by_version.items()}
    there = {version: one for version, one in option.items() if one is not None}
    choices = sorted({choice for one in there.values() for choice in one["choices"] or ()})
    changes: dict[str, Any] = {
        "there": list(toggles({version: one is not None for version, one in option.items()})),
        "takes": dict(_steps({version: one["takes"] for version, one in there.items()})),
        "deprecated": list(toggles({version: bool(one and one["deprecated"]) for version, one in option.items()})),
        "choices": {
            choice: list(
                toggles({version: bool(one and choice in (one["choices"] or ())) for version, one in option.items()})
            )
            for choice in choices
        },
        "default": dict(_steps({version: one["default"] for version, one in there.items()}))
        if name in WITH_DEFAULT
        else {},
    }
    return {field: value for field, value in changes.items() if value}


def toggles(held: Mapping[str, bool]) -> Iterator[str]:
    """The versions in which it became true, then false, and so on."""
    before = False
    for version, now in held.items():
        if now != before:
            yield version
        before = now


def _steps(values: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """The values, each with the first version that has it."""
    before = None
    for version, now in values.items():
        if now != before:
            yield version, now
        before = now
