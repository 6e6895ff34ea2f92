"""A request's head on the wire (RFC 9112)."""

from collections.abc import Sequence
from functools import lru_cache
from typing import Final, NamedTuple

from shared.worker_tls import WorkerTls

Headers = Sequence[tuple[bytes, bytes]]

_OURS: Final = frozenset({b"host", b"content-length", b"transfer-encoding"})
"""Only we say where a request goes and where it ends: two versions of that allow request smuggling."""
_REMEMBERED: Final = 4_096
_WITHOUT_BODY: Final = frozenset({b"GET", b"HEAD"})


class Address(NamedTuple):
    """An IP address and a port. Without `tls` it is talked to in plain HTTP."""

    host: str
    port: int
    tls: WorkerTls | None = None


def head_of(address: Address, method: bytes, path: bytes, headers: Headers, body: bytes) -> tuple[bytes, bool]:
    """The head, and whether it says that the connection closes.

    Raises ValueError if it would not be exactly one request.
    """
    closes = False
    lines = [b"%b %b HTTP/1.1" % (method, path), _host(address.host, address.port)]
    if body or method not in _WITHOUT_BODY:
        lines.append(b"content-length: %d" % len(body))
    for name, value in headers:
        lower = name.lower()
        if lower not in _OURS:
            lines.append(b"%b: %b" % (name, value))
            closes = closes or (lower == b"connection" and b"close" in value.lower())
    head = b"\r\n".join(lines) + b"\r\n\r\n"
    if head.count(b"\n") != len(lines) + 1 or head.count(b"\r") != len(lines) + 1:
        raise ValueError("a line break within a request's method, path or headers")
    return head, closes


@lru_cache(_REMEMBERED)
def _host(host: str, port: int) -> bytes:
    written = f"[{host}]" if ":" in host else host
    return b"host: %b:%d" % (written.encode(), port)
