"""Which headers of a worker's answer its client gets: a list of what is allowed, since a worker is not trusted.

Whatever acts on a browser, or could be taken for a word of ours, stays behind with everything else.
"""

import re
from typing import Final

from services.api.router.response import EVENT_STREAM, Headers

_JSON: Final = b"application/json"
_BYTES: Final = b"application/octet-stream"
_TYPES: Final = frozenset({_JSON, EVENT_STREAM, b"text/plain", _BYTES})
"""Of these a browser makes nothing that acts. Embeddings may be asked for as bytes."""
_UTF_8: Final = re.compile(rb"; ?charset=\"?utf-8\"?", re.IGNORECASE)
_SECONDS: Final = re.compile(rb"\d{1,6}")
_NO_CONTENT: Final = 204


def content_type(headers: Headers) -> bytes:
    """The first that is told, without its parameters; empty where none is."""
    told = next((value for name, value in headers if name == b"content-type"), b"")
    return told.split(b";", 1)[0].strip().lower()


def is_coded(headers: Headers) -> bool:
    """The body is compressed, or the like, which we never ask for."""
    return any(name == b"content-encoding" and value.lower() != b"identity" for name, value in headers)


def passed_back(status: int, headers: Headers, *, streams: bool) -> list[tuple[bytes, bytes]]:
    """`headers` by their names in lower case."""
    if status == _NO_CONTENT:
        return []
    passed = [(b"content-type", _shown_type(headers))]
    for name, value in headers:
        if name == b"retry-after" and _SECONDS.fullmatch(value):
            passed.append((name, value))
        elif name == b"content-length" and not streams:
            passed.append((name, value.lstrip(b"0") or b"0"))  # int takes no number of 5,000 digits
    return passed


def _shown_type(headers: Headers) -> bytes:
    """As a worker says it where that is usual; bytes of an unknown kind where it is no type that we know."""
    told = next((value for name, value in headers if name == b"content-type"), b"")
    if told in _TYPES:
        return told
    kind = content_type(headers)
    if kind not in _TYPES:
        return _BYTES
    return kind + b"; charset=utf-8" if _UTF_8.fullmatch(told[len(kind) :].strip()) else kind
