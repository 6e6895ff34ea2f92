"""Copies of machines' disks, by snapshot: a folder each, beside the folders of the machines."""

import asyncio
import os
import shutil
from pathlib import Path
from typing import Final

from simulator.host.disk import Disk

_ORIGIN: Final = "origin"
"""The file of a copy that says which machine's folder it was."""
_LARGEST_TEXT: Final = 2**20
"""Bytes. Larger files are not searched for paths: weights have none."""
_PIECE: Final = 2**20


class StoredDisks:
    """In the simulator's data folder. Copies run in threads."""

    def __init__(self, data_dir: Path) -> None:
        self._hosts = (data_dir / "hosts").absolute()
        self._stored = (data_dir / "snapshots").absolute()

    def folder(self, snapshot_id: str) -> Path:
        """Everything that the snapshot holds."""
        return self._stored / snapshot_id

    async def store(self, server_id: str, snapshot_id: str) -> None:
        await asyncio.to_thread(_store, self._hosts / server_id, self.folder(snapshot_id))

    async def lay(self, snapshot_id: str, server_id: str) -> None:
        await asyncio.to_thread(_lay, self.folder(snapshot_id), self._hosts / server_id)

    async def discard(self, server_id: str) -> None:
        await asyncio.to_thread(_discard, self._hosts / server_id)

    async def remove(self, snapshot_id: str) -> None:
        await asyncio.to_thread(_remove, self.folder(snapshot_id))

    async def clear(self) -> None:
        await asyncio.to_thread(_remove, self._stored)
        for folder in self._hosts.glob("*"):
            await asyncio.to_thread(_discard, folder)


def _store(machine: Path, copy: Path) -> None:
    if machine.exists():
        _copy(machine, copy)
        Disk(copy).drop_scratch(machine)
        (copy / _ORIGIN).write_text(str(machine))


def _lay(copy: Path, machine: Path) -> None:
    if copy.exists():
        _copy(copy, machine)
        origin = machine / _ORIGIN
        _move_paths(Disk(machine), origin.read_text())
        origin.unlink()
        Disk(machine).begin_anew()


def _discard(machine: Path) -> None:
    if Disk(machine).anew:
        _remove(machine)


def _remove(folder: Path) -> None:
    if folder.exists():
        shutil.rmtree(folder)


def _copy(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copytree(source, target, symlinks=True, copy_function=_copy_file, ignore=_special)


def _special(folder: str, names: list[str]) -> set[str]:
    """Pipes and sockets, which mean nothing once their machine is off."""
    paths = (Path(folder) / name for name in names)
    return {path.name for path in paths if not (path.is_symlink() or path.is_dir() or path.is_file())}


def _copy_file(source: str, target: str) -> None:
    """Leaves holes as they are: a simulated model's weights only look as large as they should be."""
    with Path(source).open("rb") as reading, Path(target).open("wb") as writing:
        end = os.fstat(reading.fileno()).st_size
        at = _next(reading.fileno(), 0, os.SEEK_DATA, end)
        while at < end:
            until = _next(reading.fileno(), at, os.SEEK_HOLE, end)
            while at < until and (piece := os.pread(reading.fileno(), min(_PIECE, until - at), at)):
                at += os.pwrite(writing.fileno(), piece, at)
            at = _next(reading.fileno(), until, os.SEEK_DATA, end)
        writing.truncate(end)
    shutil.copystat(source, target)


def _next(file: int, at: int, what: int, end: int) -> int:
    """Where the next data or hole begins; `end` if there is none."""
    try:
        return os.lseek(file, at, what) if at < end else end
    except OSError:
        return end


def _move_paths(disk: Disk, before: str) -> None:
    """A real machine's paths are the same on each; a simulated one's begin with its own folder."""
    after = str(disk.folder)
    for path in (*disk.root.rglob("*"), *disk.folder.glob("*.json")):
        if path.is_symlink():
            led_to = str(path.readlink())
            if led_to.startswith(before):
                path.unlink()
                path.symlink_to(led_to.replace(before, after, 1))
        elif path.is_file() and path.stat().st_size <= _LARGEST_TEXT:
            content = path.read_bytes()
            if before.encode() in content:
                path.write_bytes(content.replace(before.encode(), after.encode()))
