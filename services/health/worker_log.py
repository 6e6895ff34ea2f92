"""The port to a worker's log, read from its machine."""

from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol


class LogUnavailable(Exception):
    """The log cannot be read now; the message says why, without the machine's own words."""


@dataclass(frozen=True)
class WorkerEnd:
    """The last end of the worker's process, `at` by the machine's clock.

    `exit_code` is None once Docker has started it again. `lines` are those printed before it, as far as they are kept.
    `ran` is how long it had run, or None if nobody saw its start.
    """

    at: datetime
    exit_code: int | None
    lines: tuple[str, ...]
    ran: timedelta | None = None


class WorkerLog(Protocol):
    async def container(self, address: str, host_keys: Sequence[str], /) -> str | None:
        """How a worker's container is down, e.g. `container exited (137)`; None if it runs or that is not known."""

    def follow(self, address: str, host_keys: Sequence[str]) -> AsyncGenerator[str | WorkerEnd]:
        """How the worker ended last, if it has; then its recent and further output, line by line, until it ends.

        Only from a machine with one of these public host keys. Each state of a progress bar is a line.
        Raises LogUnavailable.
        """
