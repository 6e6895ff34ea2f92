"""A process among those that serve one port, and what they share."""

import asyncio
import fcntl
import os
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from services.api.records.records import Records
from services.api.records.shared_records import SharedRecords

_RECORDS: Final = "records"
_AGAIN_S: Final = 0.01


@dataclass(frozen=True)
class ProcessPlace:
    """`process` counts from 0. `folder` is where several processes meet, and `records` are what they share."""

    process: int = 0
    processes: int = 1
    folder: Path | None = None
    records: Records | None = None

    def part(self, most: int) -> int:
        """What one process may hold of what all of them may hold together: at least one, unless that is none."""
        return max(min(1, most), most // self.processes)

    def metrics_of(self, process: int) -> Path:
        """The socket on which that process tells its metrics. Raises ValueError for a single process."""
        if self.folder is None:
            raise ValueError("a single process has no folder")
        return self.folder / f"metrics-{process}"

    @asynccontextmanager
    async def turn(self, name: bytes) -> AsyncIterator[None]:
        """The block is of one process at a time. The kernel ends the turn of a process that dies."""
        if self.folder is None:
            yield
            return
        file = os.open(self.folder / f"turn-{name.hex()}", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            while not _locked(file):  # noqa: ASYNC110  the kernel can only block the whole process, or none
                await asyncio.sleep(_AGAIN_S)
            yield
        finally:
            os.close(file)


def _locked(file: int) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


ALONE: Final = ProcessPlace()


@contextmanager
def place_among(process: int, processes: int, folder: Path) -> Iterator[ProcessPlace]:
    """The place of one of several processes, whose parent has made the records."""
    records = SharedRecords(folder / _RECORDS, process, processes)
    try:
        yield ProcessPlace(process, processes, folder, records)
    finally:
        records.close()


@contextmanager
def created_records(folder: Path, processes: int) -> Iterator[SharedRecords]:
    """Make the records, for the parent of the processes. Raises OSError."""
    records = SharedRecords.create(folder / _RECORDS, processes)
    try:
        yield records
    finally:
        records.close()
