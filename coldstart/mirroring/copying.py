"""Copies one commit of a model into the mirror, file by file. What is there already, and right, is not sent again."""

from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from hashlib import sha1, sha256
from threading import Event, Lock
from typing import Any, Final

from coldstart.mirroring.download import Download
from coldstart.mirroring.errors import NotMirrored
from services.provisioner.weights.source import WeightsFile
from shared.weights_mirror.bucket import Bucket, Stored, Upload
from shared.weights_mirror.failures import MirrorFailed
from shared.weights_mirror.layout import MirroredFile, file_key

PART: Final = 64 * 2**20
"""Bytes of one part of a large file: S3 takes at least 5 MiB, and 10,000 parts."""
_MOST_PARTS: Final = 10_000
_AT_ONCE: Final = 4
_WRONG_AT_MOST: Final = 3
_SHA256: Final = "sha256"
_BLOB: Final = "blob"


class Stopped(Exception):
    """Somebody has ended the copying."""


class _Wrong(Exception):
    """What came is not what the hub's list says."""


@dataclass
class Copying:
    """`tell` is called with how many bytes more are in the mirror, from any thread; fewer if some were wrong."""

    bucket: Bucket
    download: Download
    model: str
    commit: str
    tell: Callable[[int], None]
    stop: Event = field(default_factory=Event)
    _lock: Lock = field(default_factory=Lock)

    def all(self, files: tuple[WeightsFile, ...]) -> tuple[MirroredFile, ...]:
        """The largest first; returned in the order of `files`. Raises what the first that fails does."""
        by_size = sorted(files, key=lambda file: -file.bytes)
        with ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="mirror") as threads:
            try:
                copied = dict(zip((file.path for file in by_size), threads.map(self._one, by_size), strict=True))
            except BaseException:
                self.stop.set()
                threads.shutdown(cancel_futures=True)
                raise
        return tuple(copied[file.path] for file in files)

    def _one(self, file: WeightsFile) -> MirroredFile:
        key = file_key(self.model, self.commit, file.path)
        there = self.bucket.look(key)
        if there is not None and (known := _as_described(there, file)):
            self._counted(file.bytes)
            return known
        for _ in range(_WRONG_AT_MOST):
            with suppress(_Wrong):
                return self._whole(key, file) if file.bytes <= PART else self._in_parts(key, file)
        raise NotMirrored(f"{file.path} came {_WRONG_AT_MOST} times, and each time its checksum was not the hub's.")

    def _whole(self, key: str, file: WeightsFile) -> MirroredFile:
        sums = _Sums(file)
        content = b"".join(self._pieces(file, sums))
        done = self._right(file, sums)
        self.bucket.write(key, content, _description(done, file))
        return done

    def _in_parts(self, key: str, file: WeightsFile) -> MirroredFile:
        """The object is there when its checksum is known to be right, not before."""
        for left in self.bucket.begun(key):
            self.bucket.abandon(left)
        sums = _Sums(file)
        upload = self.bucket.begin(key, {_BLOB: file.blob} | ({_SHA256: file.sha256} if file.sha256 else {}))
        try:
            sent = [self.bucket.send(upload, number, part) for number, part in enumerate(self._parts(file, sums), 1)]
            done = self._right(file, sums)
            self.bucket.finish(upload, sent)
        except BaseException:
            self._abandon(upload)
            raise
        return done

    def _abandon(self, upload: Upload) -> None:
        with suppress(MirrorFailed):  # the next copying does it
            self.bucket.abandon(upload)

    def _parts(self, file: WeightsFile, sums: "_Sums") -> Iterator[bytes]:
        size = max(PART, -(-file.bytes // _MOST_PARTS))
        kept = bytearray()
        for piece in self._pieces(file, sums):
            kept += piece
            if len(kept) >= size:
                yield bytes(kept)
                kept.clear()
        if kept:
            yield bytes(kept)

    def _pieces(self, file: WeightsFile, sums: "_Sums") -> Iterator[bytes]:
        for piece in self.download.chunks(file):
            if self.stop.is_set():
                raise Stopped
            sums.add(piece)
            self._counted(len(piece))
            yield piece

    def _right(self, file: WeightsFile, sums: "_Sums") -> MirroredFile:
        """Raises _Wrong."""
        if sums.blob != file.blob:
            self._counted(-file.bytes)
            raise _Wrong
        return _mirrored(file, sums.sha256)

    def _counted(self, more: int) -> None:
        with self._lock:
            self.tell(more)


class _Sums:
    """The checksums of a file: the SHA-256, and the name of its blob, which for a small file is git's id."""

    def __init__(self, file: WeightsFile) -> None:
        self._sha256 = sha256()
        self._git: Any = None
        if file.sha256 is None:
            self._git = sha1(b"blob %d\0" % file.bytes, usedforsecurity=False)

    def add(self, piece: bytes) -> None:
        self._sha256.update(piece)
        if self._git:
            self._git.update(piece)

    @property
    def sha256(self) -> str:
        return self._sha256.hexdigest()

    @property
    def blob(self) -> str:
        return self._git.hexdigest() if self._git else self.sha256


def _as_described(there: Stored, file: WeightsFile) -> MirroredFile | None:
    """The file, if that is what was written there. Objects are written once their checksum is right."""
    said = there.description
    if there.bytes != file.bytes or said.get(_BLOB) != file.blob or _SHA256 not in said:
        return None
    return _mirrored(file, said[_SHA256])


def _description(done: MirroredFile, file: WeightsFile) -> Mapping[str, str]:
    return {_SHA256: done.sha256, _BLOB: file.blob}


def _mirrored(file: WeightsFile, sha256: str) -> MirroredFile:
    return MirroredFile(path=file.path, bytes=file.bytes, sha256=sha256, git_blob=None if file.sha256 else file.blob)
