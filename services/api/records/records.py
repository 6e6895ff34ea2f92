"""Records of numbers by name, and the counts of each process in them."""

from contextlib import AbstractContextManager
from hashlib import blake2b
from typing import Final, Protocol, Self

FIELDS: Final = 6
"""A record's numbers for free use. All are 0 at first. Behind them is a count for each process."""
NAME_BYTES: Final = 16


class Record(Protocol):
    def __getitem__(self, index: int, /) -> float: ...

    def __setitem__(self, index: int, value: float, /) -> None: ...


class Records(Protocol):
    """While a `with` block lasts, no other process changes a record. Such a block must not await anything."""

    def __enter__(self) -> object: ...

    def __exit__(self, *_: object) -> None: ...

    def of(self, name: bytes) -> Record:
        """The record of this name, of 16 bytes: the same object as before, unless it was forgotten meanwhile."""

    def counted(self, record: Record) -> int:
        """The count of all processes."""

    def count(self, record: Record) -> None:
        """Add one to the count of this process."""

    def discount(self, name: bytes) -> None:
        """Subtract one from the count of this process. This needs no block."""


def named(*parts: bytes) -> bytes:
    """A name for anything that is no UUID."""
    return blake2b(b"\0".join(parts), digest_size=NAME_BYTES).digest()


class OwnRecords(AbstractContextManager["OwnRecords"]):
    """For one process: nothing has to be locked, and nothing is forgotten."""

    def __init__(self) -> None:
        self._records: dict[bytes, list[float]] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def of(self, name: bytes) -> Record:
        record = self._records.get(name)
        if record is None:
            record = self._records[name] = [0.0] * (FIELDS + 1)
        return record

    def counted(self, record: Record) -> int:
        return int(record[FIELDS])

    def count(self, record: Record) -> None:
        record[FIELDS] += 1

    def discount(self, name: bytes) -> None:
        self._records[name][FIELDS] -= 1
