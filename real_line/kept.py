"""What was downloaded and built, kept in the data folder for the next run under a key of all that it depends on."""

import hashlib
import re
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

MB: Final = 10**6


@dataclass(frozen=True)
class Made:
    """One step of the preparation: seconds and bytes; 0 seconds if it was kept from an earlier run."""

    what: str
    seconds: float
    size: int


@dataclass
class Kept:
    """Folders below `folder`. Each is complete: it is built beside its place and moved there at the end."""

    folder: Path
    made: list[Made] = field(default_factory=list)

    def __call__(self, name: str, depends_on: object, what: str, make: Callable[[Path], None]) -> Path:
        """The folder of that name and dependencies, made by `make` unless it is there. Others of that name go."""
        key = hashlib.sha256(repr(depends_on).encode()).hexdigest()[:12]
        place = self.folder / f"{name}-{key}"
        if place.exists():
            self.made.append(Made(what, 0.0, size_of(place)))
            return place
        former = re.compile(rf"{re.escape(name)}-[0-9a-f]{{12}}(\.new)?")
        for other in self.folder.glob(f"{name}-*"):
            if former.fullmatch(other.name):
                shutil.rmtree(other)
        print(f"{what} …", flush=True)
        began = time.monotonic()
        draft = place.with_name(f"{place.name}.new")
        draft.mkdir(parents=True)
        make(draft)
        draft.rename(place)
        step = Made(what, time.monotonic() - began, size_of(place))
        self.made.append(step)
        print(f"  {step.seconds:.0f} s, {step.size / MB:,.0f} MB", flush=True)
        return place


def size_of(place: Path) -> int:
    """Bytes on the disk, each file once."""
    seen: dict[tuple[int, int], int] = {}
    for path in (place, *place.rglob("*")):
        status = path.lstat()
        seen[status.st_dev, status.st_ino] = status.st_blocks * 512
    return sum(seen.values())
