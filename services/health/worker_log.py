"""The port to what a worker prints, read from the machine that it runs on."""

from collections.abc import AsyncGenerator, Sequence
from typing import Protocol


class LogUnavailable(Exception):
    """The machine or its worker cannot be read from now; the message says why, without anything that it said."""


class WorkerLog(Protocol):
    def follow(self, address: str, host_keys: Sequence[str]) -> AsyncGenerator[str]:
        """What the worker has printed lately and prints from now on, line by line, until the worker is gone.

        Only from the machine that owns one of these public host keys. A progress bar's every state is a line.
        Raises LogUnavailable.
        """
