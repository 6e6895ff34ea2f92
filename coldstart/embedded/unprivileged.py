"""The account that PostgreSQL runs as when root runs Coldstart, and a copy of the programs that it can read.

PostgreSQL refuses to run as root. The data folder belongs to the account, but its parent folders may be closed to it.
So the server enters the data folder while it is still root, and then uses it only as its working directory.
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
    """(uid, gid) to run as; None if we are not root and can use our own account."""
    if os.geteuid() != 0:
        return None
    if sys.platform != "linux":
        raise UnsupportedSystemError("the embedded PostgreSQL runs for root on Linux only: use another account")
    try:
        entry = pwd.getpwnam(_NAME)
    except KeyError:
        message = f"PostgreSQL refuses to run as root: create the user {_NAME}, or use another account"
        raise UnsupportedSystemError(message) from None
    return entry.pw_uid, entry.pw_gid


def can_read(path: Path, account: Account) -> bool:
    """Whether the account may enter every parent folder of `path`, and read `path`."""
    return _allows(path, account, 0o4) and all(_allows(parent, account, 0o1) for parent in path.resolve().parents)


def _allows(path: Path, account: Account, bits: int) -> bool:
    status = path.stat()
    if status.st_uid == account[0]:
        bits <<= 6
    elif status.st_gid == account[1]:
        bits <<= 3
    return status.st_mode & bits == bits


def shared_copy(trees: tuple[Path, ...], root: Path, name: str, shared: Path = SHARED_PROGRAMS) -> Path:
    """Copy these folders of programs from `root` to `shared/name`, readable by all. Returns the copy of `root`.

    An existing copy is used again, so `name` must contain the version of the programs.
    """
    copy = shared / name
    if copy.exists():
        return copy
    try:
        shared.mkdir(mode=0o755, parents=True, exist_ok=True)
        draft = Path(tempfile.mkdtemp(dir=shared))
    except OSError as error:
        raise UnsupportedSystemError(
            f"PostgreSQL runs as user {_NAME}, who cannot read its programs in {root}, and no copy can be made in "
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
