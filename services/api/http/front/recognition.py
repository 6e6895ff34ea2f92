"""How the application reports that a request has a valid key. The connection then keeps its place."""

from collections.abc import Mapping
from typing import Any, Final

EXTENSION: Final = "coldstart.recognised"
"""In the ASGI scope's `extensions`: a function without arguments."""


def recognise(scope: Mapping[str, Any]) -> None:
    recognised = (scope.get("extensions") or {}).get(EXTENSION)
    if recognised is not None:
        recognised()
