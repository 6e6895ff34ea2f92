"""Records in a file that several processes have mapped: a hash table of slots, guarded by one lock of the kernel's.

The kernel releases the lock of a process that dies. A process that has died half-way through a change leaves at worst a
level or a time that is off by one request.
"""

import fcntl
import mmap
import os
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Final, NamedTuple, Self, cast

from services.api.records.records import FIELDS, NAME_BYTES, Record

SLOTS: Final = 16_384
_NUMBER: Final = 8
_USED_AT: Final = NAME_BYTES // _NUMBER
_FIRST: Final = _USED_AT + 1
_PROBED: Final = 32
"""In how many slots behind its place a name may be. If all are taken, the one unused for longest is forgotten."""
_UNNAMED: Final = bytes(NAME_BYTES)
_MOST_KNOWN: Final = 4 * SLOTS


class _Known(NamedTuple):
    begin: int
    """The slot's first byte."""
    record: "memoryview[float]"


class SharedRecords(AbstractContextManager["SharedRecords"]):
    """`process`: the number of this one, below `processes`. `clock` has to be the same in all of them."""

    def __init__(self, path: Path, process: int, processes: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._file = os.open(path, os.O_RDWR)
        self._width = _FIRST + FIELDS + processes
        self._bytes = mmap.mmap(self._file, SLOTS * self._width * _NUMBER)
        self._numbers = memoryview(self._bytes).cast("d")
        self._processes = processes
        self._own = FIELDS + process
        self._clock = clock
        self._known: dict[bytes, _Known] = {}
        self._locked = False

    @classmethod
    def create(cls, path: Path, processes: int) -> Self:
        """Make the file, all zeros, for the parent of the processes. Raises OSError."""
        with path.open("xb") as file:
            file.truncate(SLOTS * (_FIRST + FIELDS + processes) * _NUMBER)
        return cls(path, 0, processes)

    def close(self) -> None:
        """Release the lock for ever. The map goes with the last record of it."""
        self._known.clear()
        os.close(self._file)

    def __enter__(self) -> Self:
        fcntl.flock(self._file, fcntl.LOCK_EX)
        self._locked = True
        return self

    def __exit__(self, *_: object) -> None:
        self._locked = False
        fcntl.flock(self._file, fcntl.LOCK_UN)

    def of(self, name: bytes) -> Record:
        known = self._known.get(name)
        if known is None or self._bytes[known.begin : known.begin + NAME_BYTES] != name:
            known = self._find(name)
        self._numbers[known.begin // _NUMBER + _USED_AT] = self._clock()
        return known.record

    def counted(self, record: Record) -> int:
        return int(sum(cast("memoryview[float]", record)[FIELDS:]))

    def count(self, record: Record) -> None:
        record[self._own] += 1

    def discount(self, name: bytes) -> None:
        """No other process writes this count."""
        record = self.of(name)
        record[self._own] = max(0.0, record[self._own] - 1)  # 0 if the record was forgotten meanwhile

    def forget(self, process: int) -> None:
        """That process has ended: what it had in flight is over."""
        with self:
            column = self._numbers[_FIRST + FIELDS + process :: self._width]
            column[:] = memoryview(bytes(SLOTS * _NUMBER)).cast("d")

    def _find(self, name: bytes) -> _Known:
        if not self._locked:
            with self:
                return self._find(name)
        if len(self._known) >= _MOST_KNOWN:
            self._known.clear()
        place = int.from_bytes(name[:_NUMBER], "little")
        slots = [(place + step) % SLOTS * self._width * _NUMBER for step in range(_PROBED)]
        begin = next((slot for slot in slots if self._bytes[slot : slot + NAME_BYTES] == name), None)
        if begin is None:
            begin = min(slots, key=self._worth)
            self._bytes[begin : begin + self._width * _NUMBER] = bytes(self._width * _NUMBER)
            self._bytes[begin : begin + NAME_BYTES] = name
        first = begin // _NUMBER + _FIRST
        known = self._known[name] = _Known(begin, self._numbers[first : first + FIELDS + self._processes])
        return known

    def _worth(self, begin: int) -> tuple[bool, float]:
        """Free slots first, then those without a request in flight, then those unused for longest."""
        if self._bytes[begin : begin + NAME_BYTES] == _UNNAMED:
            return False, -1.0
        first = begin // _NUMBER
        counted = self.counted(self._numbers[first + _FIRST : first + self._width])
        return counted > 0, self._numbers[first + _USED_AT]
