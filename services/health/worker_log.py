"""The port to a worker's log, read from its machine."""

from collections.abc import AsyncGenerator, Sequence
from typing import Protocol


class LogUnavailable(Exception):
    """The log cannot be read now; the message says why, without the machine's own words."""


class WorkerLog(Protocol):
    def follow(self, address: str, host_keys: Sequence[str]) -> AsyncGenerator[str]:
        """The worker's recent and further output, line by line, until the worker is gone.

        Only from a machine with one of these public host keys. Each state of a progress bar is a line.
        Raises LogUnavailable.
        """
