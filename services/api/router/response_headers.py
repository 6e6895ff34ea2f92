"""Which headers of a worker's answer its client gets: an allow-list, since a worker is not trusted.

Anything that affects a browser, or could be taken for our own, is dropped with everything else.
"""

import re
from typing import Final

from services.api.router.response import EVENT_STREAM, Headers

_JSON: Final = b"application/json"
_BYTES: Final = b"application/octet-stream"
_TYPES: Final = frozenset({_JSON, EVENT_STREAM, b"text/plain", _BYTES})
"""Types that a browser does not execute. Embeddings may be requested as bytes."""
_UTF_8: Final = re.compile(rb"; ?charset=\"?utf-8\"?", re.IGNORECASE)
_SECONDS: Final = re.compile(rb"\d{1,6}")
_NO_CONTENT: Final = 204


def content_type(headers: Headers) -> bytes:
    """The first content type, without parameters; empty without one."""
    return _kind(_declared(headers))


def is_coded(headers: Headers) -> bool:
    """Whether the body is compressed or otherwise coded, which we never ask for."""
    for name, value in headers:  # noqa: SIM110  a generator would take three times as long
        if name == b"content-encoding" and value.lower() != b"identity":
            return True
    return False


def passed_back(status: int, headers: Headers, *, streams: bool) -> list[tuple[bytes, bytes]]:
    """The headers to pass on; `headers` have lower-case names."""
    if status == _NO_CONTENT:
        return []
    passed = [(b"content-type", _shown_type(headers))]
    for name, value in headers:
        if name == b"retry-after" and _SECONDS.fullmatch(value):
            passed.append((name, value))
        elif name == b"content-length" and not streams:
            passed.append((name, value.lstrip(b"0") or b"0"))  # int refuses a number of 5,000 digits
    return passed


def _shown_type(headers: Headers) -> bytes:
    """The worker's type if it is allowed, otherwise that of arbitrary bytes."""
    declared = _declared(headers)
    if declared in _TYPES:
        return declared
    kind = _kind(declared)
    if kind not in _TYPES:
        return _BYTES
    return kind + b"; charset=utf-8" if _UTF_8.fullmatch(declared[len(kind) :].strip()) else kind


def _declared(headers: Headers) -> bytes:
    for name, value in headers:
        if name == b"content-type":
            return value
    return b""


def _kind(declared: bytes) -> bytes:
    return declared.split(b";", 1)[0].strip().lower()
