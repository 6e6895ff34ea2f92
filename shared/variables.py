"""The names of all settings' variables, and what a program says whose settings are wrong. Loads nothing."""

import os
import re
from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Final

PREFIX: Final = "COLDSTART_"
WRONG_SETTINGS: Final = 2
"""The exit status of a process that cannot start with its settings."""
_NAMES: Final = Path(__file__).with_name("variables.txt")
_NEAR: Final = 0.8
_OTHERS: Final = re.compile(r"COLDSTART_(CHAOS|FLEET)_\w+")
"""Variables of the project's own tests."""


class SettingsInvalid(Exception):
    """Names each invalid variable; not its value, which may be a secret."""


def unknown(environment: Mapping[str, str] = os.environ) -> Iterator[str]:
    """A sentence for each unknown `COLDSTART_` variable, with the nearest known one."""
    known = _NAMES.read_text().split()
    for name in sorted(environment):
        if not name.startswith(PREFIX) or name in known or _OTHERS.fullmatch(name):
            continue
        near = get_close_matches(name, known, n=1, cutoff=_NEAR)
        yield f"{name} is no setting of Coldstart" + (f"; did you mean {near[0]}?" if near else ".")
