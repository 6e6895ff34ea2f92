"""The head of an answer, with headers that protect it in a browser."""

from collections.abc import Iterable, Mapping
from http import HTTPStatus
from typing import Final

_PROTECTION: Final[Mapping[bytes, bytes]] = {
    b"x-content-type-options": b"nosniff",
    b"x-frame-options": b"DENY",
    b"content-security-policy": b"frame-ancestors 'none'",
    b"cache-control": b"no-store",
}
"""No browser guesses an answer's type, shows it in another page, or caches it. The application's own headers win."""
_FRAMING: Final = frozenset({b"connection", b"content-length", b"transfer-encoding"})
_NOTED: Final = _FRAMING | _PROTECTION.keys()


def _lines(fields: Iterable[tuple[bytes, bytes]]) -> bytes:
    return b"".join(b"%b: %b\r\n" % field for field in fields)


_ALL_OF_IT: Final = _lines(_PROTECTION.items())
_STATUS: Final[Mapping[int, bytes]] = {status: b"%d %b\r\n" % (status, status.phrase.encode()) for status in HTTPStatus}


class BadHead(Exception):
    """The application gave a header with a line break, which would start another header or end the head."""


def head(
    status: int, fields: Iterable[tuple[bytes, bytes]], date: bytes, version: bytes = b"HTTP/1.1 "
) -> tuple[bytes, Mapping[bytes, bytes]]:
    """All lines but the empty one, and the framing that they declare. Raises BadHead.

    `date` is a whole line. A Transfer-Encoding is left out: the server decides how an answer is sent.
    """
    parts = [version, _STATUS.get(status) or b"%d \r\n" % status, date]
    missing, framing = _PROTECTION, {}
    for name, value in fields:
        name = name.lower()  # noqa: PLW2901
        if name in _NOTED:
            if name in _FRAMING:
                framing[name] = value
                if name == b"transfer-encoding":
                    continue
            else:
                missing = {each: missing[each] for each in missing if each != name}
        parts += (name, b": ", value, b"\r\n")
    lines = b"".join(parts)
    if lines.count(b"\n") != len(parts) // 4 + 2 or lines.count(b"\r") != lines.count(b"\n") or b"\0" in lines:
        raise BadHead
    return lines + (_ALL_OF_IT if missing is _PROTECTION else _lines(missing.items())), framing
