"""An embedded server's files beside its data: the lock, the port, the passwords and the log."""

import fcntl
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from coldstart.embedded.errors import AlreadyRunningError

_TAIL_BYTES: Final = 4096
_TAIL_LINES: Final = 20


class ServerFolder:
    """The folder `name` in `data_dir`. Hold the lock to use anything but `path`."""

    def __init__(self, data_dir: Path, name: str) -> None:
        self.path = data_dir.absolute() / name
        self.data = self.path / "data"
        self.log = self.path / "server.log"

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Create the folder if it is missing, and own it. Raises AlreadyRunningError, which names the owner.

        The kernel drops the lock when its owner ends, however it ends, so no lock is ever stale.
        """
        self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.path.mkdir(mode=0o700, exist_ok=True)
        with (self.path / "lock").open("a+") as lock:
            lock.seek(0)
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                pid = lock.read().strip()
                raise AlreadyRunningError(self.path, int(pid) if pid else None) from None
            lock.truncate(0)
            lock.write(str(os.getpid()))
            lock.flush()
            try:
                yield
            finally:
                fcntl.flock(lock, fcntl.LOCK_UN)

    def password(self, name: str) -> str:
        """The password in the file `name`, made on first use and readable by its owner only."""
        file = self.path / name
        if not file.exists():
            self.write(name, secrets.token_hex(24))
        return file.read_text()

    @property
    def port(self) -> int | None:
        """The server's previous port."""
        file = self.path / "port"
        return int(file.read_text()) if file.exists() else None

    @port.setter
    def port(self, port: int) -> None:
        self.write("port", str(port))

    def write(self, name: str, text: str) -> Path:
        """Write the file `name` (mode 600), completely or not at all. Returns its path."""
        file, draft = self.path / name, self.path / f"{name}.new"
        draft.unlink(missing_ok=True)
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as opened:
            opened.write(text)
            opened.flush()
            os.fsync(opened.fileno())
        return draft.replace(file)

    def new_log(self) -> int:
        """Begin a new log and keep the previous one. Returns a file descriptor, which the caller closes."""
        if self.log.exists():
            self.log.replace(self.path / "server.log.1")
        return os.open(self.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)

    def log_tail(self) -> str:
        """The last lines of the log."""
        with self.log.open("rb") as log:
            size = log.seek(0, os.SEEK_END)
            log.seek(max(0, size - _TAIL_BYTES))
            return "\n".join(log.read().decode(errors="replace").splitlines()[-_TAIL_LINES:])
