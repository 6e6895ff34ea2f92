"""The console's styles and scripts, read once. Their address contains a digest, so browsers cache them for good."""

import gzip
import hashlib
import json
import mimetypes
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Final, Self

from services.api.console.words import words

_DIGITS: Final = 16
_TYPES: Final = {".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}


@dataclass(frozen=True)
class Asset:
    """`compressed` is None if compression would not make it smaller."""

    content_type: str
    content: bytes
    compressed: bytes | None


class Assets:
    """All under one digest: modules refer to each other without it, and still never load another release's."""

    def __init__(self, contents: Mapping[str, bytes]) -> None:
        self._assets = {name: _asset(name, content) for name, content in contents.items()}
        everything = b"\0".join(name.encode() + b"\0" + contents[name] for name in sorted(contents))
        self.digest = hashlib.sha256(everything).hexdigest()[:_DIGITS]

    @classmethod
    def read(cls) -> Self:
        """The files beside this one, and the words that they share with the rest of the project."""
        found = {file.name: file.read_bytes() for file in files(__package__).joinpath("static").iterdir()}
        return cls({**found, "words.js": f"export const WORDS = {json.dumps(words())};\n".encode()})

    def get(self, name: str) -> Asset | None:
        return self._assets.get(name)

    def address(self, name: str) -> str:
        """Raises KeyError for a missing file: a page would be broken."""
        self._assets[name]
        return f"/console/static/{self.digest}/{name}"


@cache
def _asset(name: str, content: bytes) -> Asset:
    compressed = gzip.compress(content, mtime=0)
    suffix = "." + name.rpartition(".")[2]
    kind = _TYPES.get(suffix) or mimetypes.types_map.get(suffix, "application/octet-stream")
    return Asset(kind, content, compressed if len(compressed) < len(content) else None)
