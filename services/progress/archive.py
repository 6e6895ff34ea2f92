"""The events of compacted instances: a file for each month in which they were compacted, JSON lines under gzip.

A line is one event: its sequence and time in the stream, and its body as the stream had it. `zcat` reads the files.
"""

import gzip
import json
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final
from uuid import UUID

from shared.journal.envelope import Undecodable, decode_any
from shared.journal.recorded import AnyRecorded
from shared.running import StartRefused

_SUFFIX: Final = ".jsonl.gz"
_LEVEL: Final = 9


class ArchiveUnreadable(StartRefused):
    """A file of the archive is damaged, or of a newer version; the message names it."""


@dataclass(frozen=True)
class ArchivedEvent:
    """`data`: the body in the stream, byte for byte as JSON; `recorded_at` by the stream's clock."""

    sequence: int
    recorded_at: datetime
    data: bytes

    def decoded(self) -> AnyRecorded:
        """Raises Undecodable."""
        return decode_any(self.data, self.sequence, self.recorded_at)


@dataclass(frozen=True)
class Archive:
    """The files of one installation, in a folder of their own in `folder`."""

    folder: Path
    installation: UUID

    @property
    def files(self) -> list[Path]:
        """Oldest first."""
        return sorted(self._place.glob(f"*{_SUFFIX}"))

    def add(self, events: Sequence[ArchivedEvent], at: datetime) -> None:
        """Append to the file of the month of `at`. When this returns, they are on disk. Raises OSError.

        A file is replaced as a whole, so a kill leaves the former one.
        """
        self._place.mkdir(mode=0o700, parents=True, exist_ok=True)
        file = self._place / f"{at:%Y-%m}{_SUFFIX}"
        draft = file.with_name(f"{file.name}.new")
        before = file.read_bytes() if file.exists() else b""
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as opened:
            opened.write(before)
            opened.write(gzip.compress(b"".join(map(_line, events)), _LEVEL))
            opened.flush()
            os.fsync(opened.fileno())
        draft.replace(file)
        _fsync(self._place)

    def events(self) -> Iterator[AnyRecorded]:
        """Every archived event; an instance's in their order. Raises ArchiveUnreadable."""
        for file in self.files:
            try:
                with gzip.open(file, "rb") as lines:
                    for line in lines:
                        yield _event(json.loads(line)).decoded()
            except (OSError, EOFError, ValueError, KeyError, Undecodable) as error:
                raise ArchiveUnreadable(f"{file} cannot be read: {error}") from error

    @property
    def _place(self) -> Path:
        return self.folder / str(self.installation)


def _line(event: ArchivedEvent) -> bytes:
    body = json.loads(event.data)
    line = {"sequence": event.sequence, "recorded_at": event.recorded_at.isoformat(), "event": body}
    return json.dumps(line).encode() + b"\n"


def _event(line: dict[str, Any]) -> ArchivedEvent:
    at = datetime.fromisoformat(line["recorded_at"])
    return ArchivedEvent(int(line["sequence"]), at, json.dumps(line["event"]).encode())


def _fsync(folder: Path) -> None:
    opened = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)
