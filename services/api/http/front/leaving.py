"""How the application hears at once that its client left, without waiting for it in a task of its own."""

from collections.abc import Callable, Mapping
from typing import Any, Final, TypeAlias

EXTENSION: Final = "coldstart.leaving"
"""In the ASGI scope's `extensions`: a `Leaving`."""

Leaving: TypeAlias = Callable[[Callable[[], None]], None]
"""Takes a function that is called once if the client leaves before its answer is complete; at once if it has left."""


def leaving_of(scope: Mapping[str, Any]) -> Leaving:
    leaving: Leaving = scope["extensions"][EXTENSION]
    return leaving
