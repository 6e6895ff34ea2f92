"""What a stack has put into its data folder, by name: nothing else in there is ever deleted."""

import shutil
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

_SERVERS: Final = ("stack", "nats", "followers", "postgres")
"""Folders of a server each, which has its lock there."""
_DRAFT: Final = "[0-9a-f]" * 16
_FILES: Final = (
    *("master-secret", f"master-secret.{_DRAFT}", "admin-key", f"admin-key.{_DRAFT}"),
    *("stack.json", "stack.json.new", "clouds", "clouds.new"),
)
"""Each with what a start that was killed leaves of it."""
_WITHIN: Final = {"logs": ("*.log",), "simulator": ("hosts", "account.json*")}


class NotOurs(Exception):
    """Nothing in this folder is deleted; the message says why."""


@dataclass(frozen=True)
class Belongings:
    """`ours` are files and folders to delete, `left` what else is there: somebody's own, or a link to elsewhere."""

    folder: Path
    ours: tuple[Path, ...]
    left: tuple[Path, ...]

    @property
    def size(self) -> int:
        """Bytes, without following links."""
        inside = (file for each in self.ours for file in (each, *(each.rglob("*") if each.is_dir() else ())))
        return sum(file.lstat().st_size for file in inside)

    def delete(self) -> None:
        """The folders as well, where nothing else is in them."""
        for path in self.ours:
            if path.is_dir():
                shutil.rmtree(path)
            else:
                path.unlink()
        for folder in (*(self.folder / name for name in _WITHIN), self.folder):
            if _is_folder(folder):
                with suppress(OSError):  # something else is in it, or it is where a disk is mounted
                    folder.rmdir()


def belongings(folder: Path) -> Belongings:
    """Raises NotOurs."""
    if folder.is_symlink():
        raise NotOurs(f"{folder} is a link to {folder.resolve()}; set COLDSTART_DATA_DIR to that if it is meant.")
    if not folder.is_dir():
        raise NotOurs(f"there is no folder {folder}.")
    servers = [folder / name for name in _SERVERS if _is_folder(folder / name) and (folder / name / "lock").is_file()]
    files = [path for pattern in _FILES for path in folder.glob(pattern) if _is_file(path)]
    if not servers and not _is_file(folder / "master-secret"):
        raise NotOurs(f"{folder} is no data folder of Coldstart.")
    within = [
        path
        for name, patterns in _WITHIN.items()
        if _is_folder(folder / name)
        for pattern in patterns
        for path in (folder / name).glob(pattern)
        if not path.is_symlink()
    ]
    ours = (*servers, *files, *within)
    holders = {path.parent for path in within}
    left = [path for path in folder.iterdir() if path not in ours and path not in holders]
    left += [path for holder in holders for path in holder.iterdir() if path not in ours]
    return Belongings(folder, ours, tuple(sorted(left)))


def _is_folder(path: Path) -> bool:
    return path.is_dir() and not path.is_symlink()


def _is_file(path: Path) -> bool:
    return path.is_file() and not path.is_symlink()
