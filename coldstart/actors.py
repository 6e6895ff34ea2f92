"""Says who asked for something, in words."""

from collections.abc import Mapping
from typing import Any, Final

_KINDS: Final[Mapping[str, str]] = {
    "key": "key {name}",
    "session": "{name} in the console",
    "service": "service {name}",
    "stranger": "nobody known, from {name}",
}


def who(actor: Mapping[str, Any] | None) -> str:
    """Of a `requested_by` or an entry's `actor`; empty if nobody asked, or nobody recorded it."""
    return _KINDS[actor["kind"]].format(name=actor["name"]) if actor else ""
