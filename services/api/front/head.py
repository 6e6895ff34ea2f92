"""The head of an answer, with what protects every answer in a browser."""

from collections.abc import Iterable, Mapping
from http import HTTPStatus
from typing import Final

_PROTECTION: Final[Mapping[bytes, bytes]] = {
    b"x-content-type-options": b"nosniff",
    b"x-frame-options": b"DENY",
    b"content-security-policy": b"frame-ancestors 'none'",
    b"cache-control": b"no-store",
}
"""No browser guesses what an answer is, shows it in another page, or keeps it. What the application says counts."""


def _lines(fields: Iterable[tuple[bytes, bytes]]) -> bytes:
    return b"".join(b"%b: %b\r\n" % field for field in fields)


_ALL_OF_IT: Final = _lines(_PROTECTION.items())
_STATUS: Final[Mapping[int, bytes]] = {status: b"%d %b\r\n" % (status, status.phrase.encode()) for status in HTTPStatus}


class BadHead(Exception):
    """The application gave a header that would begin another one, or end the head."""


def head(
    status: int, fields: Iterable[tuple[bytes, bytes]], date: bytes, *, more: bytes = b"", version: bytes = b"1.1"
) -> bytes:
    """`date` and `more` are whole lines. Raises BadHead."""
    parts = [b"HTTP/", version, b" ", _STATUS.get(status) or b"%d \r\n" % status, date]
    missing = _PROTECTION
    given = 0
    for name, value in fields:
        if name in _PROTECTION:
            missing = {each: missing[each] for each in missing if each != name}
        parts.append(b"%b: %b\r\n" % (name, value))
        given += 1
    lines = b"".join(parts)
    if lines.count(b"\n") != given + 1 + bool(date) or lines.count(b"\r") != lines.count(b"\n") or b"\0" in lines:
        raise BadHead
    return b"".join((lines, _ALL_OF_IT if missing is _PROTECTION else _lines(missing.items()), more, b"\r\n"))
