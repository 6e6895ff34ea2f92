"""Which fetch of a model's file fails on one machine, and how."""

from collections import Counter
from collections.abc import Sequence

from simulator.scenario import FileFailure


class FileFailures:
    """Counts since the machine's boot."""

    def __init__(self, failures: Sequence[FileFailure]) -> None:
        self._failures = failures
        self._happened = Counter[tuple[int, str]]()

    def next(self, path: str) -> FileFailure | None:
        """The failure of this fetch, or None. Asking counts as one fetch."""
        for position, failure in enumerate(self._failures):
            matches = path.endswith(failure.path)
            if matches and (failure.times is None or self._happened[position, path] < failure.times):
                self._happened[position, path] += 1
                return failure
        return None
