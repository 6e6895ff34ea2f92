"""A machine's disk goes once, however many ask for it."""

import asyncio
from pathlib import Path

from simulator.host.disk import Disk

MANY = 2_000


async def test_a_disk_that_is_removed_twice_at_once_is_gone(tmp_path: Path) -> None:
    disk = Disk(tmp_path / "disk")
    for number in range(MANY):
        (disk.folder / f"{number}").mkdir(parents=True)
    await asyncio.gather(*(asyncio.to_thread(disk.remove) for _ in range(2)))
    assert not disk.folder.exists()
