"""What a stack has created in its data folder, by name. Nothing else in it is ever deleted."""

import shutil
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

_SERVERS: Final = ("stack", "nats", "followers", "postgres")
"""Folders of one server each, with its lock."""
_DRAFT: Final = "[0-9a-f]" * 16
_FILES: Final = (
    *("master-secret", f"master-secret.{_DRAFT}", "admin-key", f"admin-key.{_DRAFT}"),
    *("stack.json", "stack.json.new", "clouds", "clouds.new"),
)
"""Each also with the drafts that a killed start leaves."""
_WITHIN: Final = {
    "logs": ("*.log",),
    "simulator": ("hosts", "account.json*"),
    "archive": ("*-*-*-*-*",),
    "router": ("router-snapshot*",),
}


class NotOurs(Exception):
    """Nothing in this folder is deleted; the message says why."""


@dataclass(frozen=True)
class Belongings:
    """`ours` are files and folders to delete; `left` is everything else: somebody's own files, or links."""

    folder: Path
    ours: tuple[Path, ...]
    left: tuple[Path, ...]

    @property
    def size(self) -> int:
        """Bytes, without following links."""
        inside = (file for each in self.ours for file in (each, *(each.rglob("*") if each.is_dir() else ())))
        return sum(file.lstat().st_size for file in inside)

    def delete(self) -> None:
        """Deletes folders only if nothing else is in them."""
        for path in self.ours:
            if path.is_dir():
                shutil.rmtree(path)
            else:
                path.unlink()
        for folder in (*(self.folder / name for name in _WITHIN), self.folder):
            if _is_folder(folder):
                with suppress(OSError):  # something else is in it, or a disk is mounted there
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
