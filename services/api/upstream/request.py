"""A request's head on the wire (RFC 9112)."""

from collections.abc import Sequence
from typing import Final, NamedTuple

from shared.worker_tls import WorkerTls

Headers = Sequence[tuple[bytes, bytes]]

_OURS: Final = frozenset({b"host", b"content-length", b"transfer-encoding"})
"""Only we say where a request goes and where it ends: two versions of that allow request smuggling."""
_WITHOUT_BODY: Final = frozenset({b"GET", b"HEAD"})


class Address(NamedTuple):
    """An IP address and a port. Without `tls` it is talked to in plain HTTP."""

    host: str
    port: int
    tls: WorkerTls | None = None


def head_of(address: Address, method: bytes, path: bytes, headers: Headers, body: bytes) -> bytes:
    """Raises ValueError if it would not be exactly one request."""
    host = f"[{address.host}]" if ":" in address.host else address.host
    lines = [b"%b %b HTTP/1.1" % (method, path), b"host: %b:%d" % (host.encode(), address.port)]
    if body or method not in _WITHOUT_BODY:
        lines.append(b"content-length: %d" % len(body))
    lines += [b"%b: %b" % field for field in headers if field[0].lower() not in _OURS]
    head = b"\r\n".join(lines) + b"\r\n\r\n"
    if head.count(b"\n") != len(lines) + 1 or head.count(b"\r") != len(lines) + 1:
        raise ValueError("a line break within a request's method, path or headers")
    return head


def said_close(headers: Headers) -> bool:
    return any(b"close" in value.lower() for name, value in headers if name.lower() == b"connection")
