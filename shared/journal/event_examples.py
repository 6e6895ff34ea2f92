"""An example of every event: the whole message, as it is in the stream but for `vocabulary`.

`make docs` draws them from the histories of the tests.
"""

import json
from functools import cache
from importlib.resources import files
from typing import Any, Final

FILE: Final = "event_examples.json"


@cache
def _examples() -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = json.loads(files(__package__).joinpath(FILE).read_text())
    return found


def example_of(event: str) -> dict[str, Any]:
    """The CloudEvent. Raises KeyError for an event without an example."""
    return _examples()[event]
