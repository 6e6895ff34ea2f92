"""The files of a model's repository as the hub describes them, and the contents of the small ones."""

import hashlib
import json
from dataclasses import dataclass
from functools import cache
from typing import Any, Final

from simulator.hub.models import Model

_LARGE: Final = 10 * 10**6
"""Larger files are kept as Git LFS objects, with their SHA-256 instead of their Git id."""
_POINTER_BYTES: Final = 135


@dataclass(frozen=True)
class RepositoryFile:
    """`blob` is the Git id of the file, of its pointer if it is large. A large file's content is made up nowhere."""

    path: str
    size: int
    blob: str
    sha256: str | None
    content: bytes | None

    def of_tree(self) -> dict[str, Any]:
        """An entry of `GET /api/models/…/tree/…`."""
        entry = {"type": "file", "oid": self.blob, "size": self.size, "path": self.path}
        if self.sha256 is None:
            return entry
        return entry | {"lfs": {"oid": self.sha256, "size": self.size, "pointerSize": _POINTER_BYTES}}

    def of_info(self) -> dict[str, Any]:
        """A sibling of `GET /api/models/…?blobs=true`."""
        sibling = {"rfilename": self.path, "size": self.size, "blobId": self.blob}
        if self.sha256 is None:
            return sibling
        return sibling | {"lfs": {"sha256": self.sha256, "size": self.size, "pointerSize": _POINTER_BYTES}}


@cache
def _file(model_id: str, commit: str, path: str, size: int, config: str) -> RepositoryFile:
    """One file; the same text for `config` as `json.dumps` makes of the model's configuration."""
    if size > _LARGE:
        sha256 = hashlib.sha256(f"{model_id} {commit} {path}".encode()).hexdigest()
        pointer = f"version https://git-lfs.github.com/spec/v1\noid sha256:{sha256}\nsize {size}\n"
        return RepositoryFile(path, size, _git_id(pointer.encode()), sha256, None)
    content = config.encode() if path == "config.json" else bytes(size)
    return RepositoryFile(path, size, _git_id(content), None, content)


def repository(model: Model) -> dict[str, RepositoryFile]:
    """All files by their paths."""
    config = json.dumps(model.config())
    return {path: _file(model.id, model.sha, path, size, config) for path, size in model.files().items()}


def _git_id(content: bytes) -> str:
    return hashlib.sha1(b"blob %d\0%b" % (len(content), content), usedforsecurity=False).hexdigest()
