"""How the application sends a part of an answer from a callback of the event loop, where it cannot wait."""

from collections.abc import Callable, Mapping
from typing import Any, Final, TypeAlias

EXTENSION: Final = "coldstart.pushing"
"""In the ASGI scope's `extensions`: a `Push`."""

Push: TypeAlias = Callable[[bytes], bool]
"""Takes a part of the body of an answer that has begun. False: the next part must go through `send`, which waits until
the client has read."""


def pushing_of(scope: Mapping[str, Any]) -> Push:
    push: Push = scope["extensions"][EXTENSION]
    return push
