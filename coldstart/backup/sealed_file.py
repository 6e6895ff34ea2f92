"""The file of a backup: a tar archive, encrypted by age as it is written, so that nothing of it is on disk in clear.

`age --decrypt --identity KEY FILE | tar --list` reads it, too. age authenticates every 64 kB and the end of the file.
"""

import io
import os
import tarfile
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Final

import pyrage

from coldstart.backup.errors import BackupUnreadable

_MODE: Final = 0o600
_WRONG_KEY: Final = "No matching keys found"


class SealedFile:
    """A backup that is being written."""

    def __init__(self, archive: tarfile.TarFile) -> None:
        self._archive = archive

    def add(self, name: str, data: bytes) -> None:
        member = tarfile.TarInfo(name)
        member.size, member.mode = len(data), _MODE
        self._archive.addfile(member, io.BytesIO(data))


@contextmanager
def sealed(file: Path, recipients: Sequence[Any]) -> Iterator[SealedFile]:
    """Write `file` (mode 600), completely or not at all: it replaces an earlier one when the block ends well.

    Raises OSError. `add` blocks while the disk is slow.
    """
    draft = file.with_name(f"{file.name}.new")
    draft.unlink(missing_ok=True)
    try:
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, _MODE), "wb") as output:
            reading, writing = (os.fdopen(end, mode) for end, mode in zip(os.pipe(), ("rb", "wb"), strict=True))
            encrypting = _Thread(lambda: pyrage.encrypt_io(reading, output, recipients), reading)
            try:
                with writing, tarfile.open(fileobj=writing, mode="w|") as archive:
                    yield SealedFile(archive)
            except BrokenPipeError:  # the thread has ended, and knows why
                raise encrypting.outcome() or BrokenPipeError from None
            finally:
                failure = encrypting.outcome()
            if failure is not None:
                raise failure
            output.flush()
            os.fsync(output.fileno())
        draft.replace(file)
    finally:
        draft.unlink(missing_ok=True)


def unsealed(file: Path, identities: Sequence[Any]) -> Iterator[tuple[str, bytes]]:
    """Each name and its bytes, in the order of writing. Raises BackupUnreadable, maybe only at the end."""
    if not identities:
        raise BackupUnreadable("the key is a public one, which only encrypts; restoring needs the secret key.")
    try:
        source = file.open("rb")
    except OSError as error:
        raise BackupUnreadable(f"{file} cannot be read: {error.strerror}.") from None
    reading, writing = (os.fdopen(end, mode) for end, mode in zip(os.pipe(), ("rb", "wb"), strict=True))
    with source:
        decrypting = _Thread(lambda: pyrage.decrypt_io(source, writing, identities), writing)
        try:
            with reading:
                yield from _members(reading)
                while reading.read(io.DEFAULT_BUFFER_SIZE):  # what tar appends behind its end
                    pass
        except tarfile.TarError as error:
            decrypting.failure = decrypting.failure or error
        finally:
            failure = decrypting.outcome()
    if failure is not None:
        raise BackupUnreadable(_why(file, failure)) from None


def _members(reading: Any) -> Iterator[tuple[str, bytes]]:
    with tarfile.open(fileobj=reading, mode="r|") as archive:
        for member in archive:
            content = archive.extractfile(member)
            yield member.name, content.read() if content else b""


def _why(file: Path, failure: BaseException) -> str:
    if str(failure) == _WRONG_KEY:
        return f"{file} was encrypted for another key."
    if isinstance(failure, pyrage.DecryptError):
        return f"{file} is no backup, or its beginning is damaged."
    return f"{file} is damaged or truncated."


class _Thread(threading.Thread):
    """Runs `work`, then closes its end of the pipe, so that the other end does not wait."""

    def __init__(self, work: Callable[[], None], end: Any) -> None:
        super().__init__(daemon=True)
        self._work = work
        self._end = end
        self.failure: BaseException | None = None
        self.start()

    def run(self) -> None:
        try:
            self._work()
        except Exception as error:  # noqa: BLE001 - it is raised in the thread that waits
            self.failure = error
        finally:
            with suppress(OSError):
                self._end.close()

    def outcome(self) -> BaseException | None:
        """Wait until it has ended; the error that ended it, or None."""
        self.join()
        return self.failure
