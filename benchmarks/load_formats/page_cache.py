"""Files in and out of the system's page cache, and how fast the disk gives them at most (Linux)."""

import asyncio
import os
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final

from benchmarks.load_formats.environment import Failed, run

_MOST_LEFT: Final = 0.02
_BLOCK: Final = 16 * 2**20
_DROPS: Final = Path("/proc/sys/vm/drop_caches")
_MB_S: Final = re.compile(r", ([\d.]+) s, ")


def weights(folder: Path) -> list[Path]:
    return sorted(folder.glob("*.safetensors"))


def size(files: Iterable[Path]) -> int:
    """Bytes."""
    return sum(file.stat().st_size for file in files)


async def evict(files: Sequence[Path]) -> None:
    """These, and for root all others, too: after a boot, a program's own files have to come from the disk as well.

    Raises Failed if they are still there.
    """
    for file in files:
        descriptor = os.open(file, os.O_RDONLY)
        try:
            os.fsync(descriptor)
            os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
        finally:
            os.close(descriptor)
    if os.geteuid() == 0:
        await asyncio.to_thread(_DROPS.write_text, "3")
    if (left := await share(files)) > _MOST_LEFT:
        raise Failed(f"{left:.0%} of the weights stay in the page cache, so nothing cold can be measured.")


async def warm(files: Sequence[Path]) -> None:
    """Raises Failed if the memory does not keep them."""
    await asyncio.to_thread(_read, files)
    if (there := await share(files)) < 1 - _MOST_LEFT:
        raise Failed(f"Only {there:.0%} of the weights stay in the page cache: the machine has too little memory.")


def _read(files: Sequence[Path]) -> None:
    for file in files:
        with file.open("rb", buffering=0) as opened:
            while opened.read(_BLOCK):
                pass


async def share(files: Sequence[Path]) -> float:
    """How much of them is in the page cache, 0 to 1. Raises Failed."""
    told = await run("fincore", "--bytes", "--noheadings", "--output", "RES", *files)
    return sum(map(int, told.split())) / size(files)


async def disk_mb_s(files: Sequence[Path]) -> float:
    """Of one reader, past the page cache. Raises Failed."""
    seconds = 0.0
    for file in files:
        told = await run("dd", f"if={file}", "of=/dev/null", "bs=16M", "iflag=direct", environment={"LC_ALL": "C"})
        found = _MB_S.search(told)
        if found is None:
            raise Failed(f"dd said {told!r}")
        seconds += float(found[1])
    return size(files) / 1e6 / seconds
