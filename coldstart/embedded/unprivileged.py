"""The account that PostgreSQL runs as when Coldstart is run by root, and programs that this account can reach.

PostgreSQL refuses to run as root. The data folder belongs to this account, but the folders above it are not ours to
open: the server enters it before it gives root up, and from then on knows it only as its working directory.
"""

import os
import pwd
import shutil
import stat
import sys
import tempfile
from pathlib import Path
from typing import Final

from coldstart.embedded.errors import UnsupportedSystemError

_NAME: Final = "nobody"
WORKING_DIRECTORY: Final = Path("/proc/self/cwd")
SHARED_PROGRAMS: Final = Path("/var/cache/coldstart")

Account = tuple[int, int]


def unprivileged_account() -> Account | None:
    """(uid, gid) to run as if we are root, else None: one's own account will do."""
    if os.geteuid() != 0:
        return None
    if sys.platform != "linux":
        raise UnsupportedSystemError("the embedded PostgreSQL runs for root on Linux only: use another account")
    try:
        entry = pwd.getpwnam(_NAME)
    except KeyError:
        raise UnsupportedSystemError(f"PostgreSQL refuses to run as root, and there is no user {_NAME}") from None
    return entry.pw_uid, entry.pw_gid


def can_read(path: Path, account: Account) -> bool:
    """Whether the account may enter every folder down to `path` and read what is there."""
    return _allows(path, account, 0o4) and all(_allows(parent, account, 0o1) for parent in path.resolve().parents)


def _allows(path: Path, account: Account, bits: int) -> bool:
    status = path.stat()
    if status.st_uid == account[0]:
        bits <<= 6
    elif status.st_gid == account[1]:
        bits <<= 3
    return status.st_mode & bits == bits


def shared_copy(trees: tuple[Path, ...], root: Path, name: str, shared: Path = SHARED_PROGRAMS) -> Path:
    """Copy program folders below `root` to `shared/name`, readable by all; returns where `root` is now.

    Made once per `name`, which therefore carries the programs' version.
    """
    copy = shared / name
    if copy.exists():
        return copy
    try:
        shared.mkdir(mode=0o755, parents=True, exist_ok=True)
        draft = Path(tempfile.mkdtemp(dir=shared))
    except OSError as error:
        raise UnsupportedSystemError(
            f"user {_NAME}, as whom PostgreSQL runs for root, can reach neither its programs in {root} nor a copy in "
            f"{shared} ({error.strerror}): install Coldstart where {_NAME} can read it, or set COLDSTART_DATABASE_URL"
        ) from error
    try:
        for tree in trees:
            shutil.copytree(tree, draft / tree.relative_to(root), symlinks=True)
        for path in (draft, *draft.rglob("*")):
            if not path.is_symlink():
                path.chmod(path.stat().st_mode | _readable(path))
        draft.rename(copy)
    except OSError:
        shutil.rmtree(draft)
        if not copy.exists():  # otherwise another process was faster
            raise
    return copy


def _readable(path: Path) -> int:
    executable = path.is_dir() or path.stat().st_mode & stat.S_IXUSR
    return 0o555 if executable else 0o444
