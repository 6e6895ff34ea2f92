"""Parses requests as they arrive: httptools' parser with limits, which it lacks."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, Protocol
from urllib.parse import unquote

import httptools
from litestar.types import Scope

from services.api.http.front import refusals
from services.api.http.front.limits import ClientLimits
from services.api.http.problem import Problem

_ASGI: Final = {"version": "3.0", "spec_version": "2.3"}
_ONCE: Final = frozenset({b"authorization", b"content-length", b"host", b"transfer-encoding", b"x-api-key"})
_FORWARDED: Final = frozenset({b"x-forwarded-for", b"x-forwarded-proto"})
_NOTED: Final = _ONCE | _FORWARDED | {b"expect"}

Address = tuple[str, int]


@dataclass(frozen=True, slots=True)
class Ends:
    """The two ends of a connection, the same for all its requests."""

    client: Address | None
    server: Address | None
    extensions: dict[str, Callable[..., object]]


class Body(Protocol):
    """Takes the body of one request. `take` returns False if it is too large; `end`: the request is complete."""

    def take(self, chunk: bytes) -> bool: ...

    def end(self) -> None: ...


class Taker(Protocol):
    """`begins`: whether another request may be read. `requested`: a head is complete; returns what takes the body.

    `forwarded`: a proxy names the client.
    """

    def begins(self) -> bool: ...

    def requested(
        self, scope: Scope, most_body: int, *, keep_alive: bool, awaits_continue: bool, forwarded: bool
    ) -> Body: ...


class _Refused(Exception):
    """Stops httptools."""


class Parser:
    """`in_head`: a head has begun and is not complete. `target` is that of the latest request."""

    def __init__(self, taker: Taker, limits: ClientLimits, ends: Ends) -> None:
        self._taker = taker
        self._limits = limits
        self._ends = ends
        self._parser = httptools.HttpRequestParser(self)
        self.in_head = False
        self.target = b""
        self._head_bytes = 0
        self._most_body = 0
        self._body: Body | None = None
        self._headers: list[tuple[bytes, bytes]] = []
        self._noted: dict[bytes, bytes] = {}
        self._wrong: Problem | None = None

    def feed(self, data: bytes) -> Problem | None:
        """Returns what is wrong, if anything; then it must not be called again."""
        rest: bytes | memoryview = data
        while rest:
            room = self._limits.head_bytes - self._head_bytes
            if room <= 0:
                return refusals.head_too_large(self._limits.head_bytes)
            piece, rest = (rest, b"") if len(rest) <= room else (memoryview(rest)[:room], memoryview(rest)[room:])
            self._in_body = False
            try:
                self._parser.feed_data(piece)
            except httptools.HttpParserUpgrade as upgrade:  # upgrades are ignored; another request may follow
                behind = memoryview(piece)[upgrade.args[0] :]
                rest = b"".join((behind, rest)) if behind else rest
            except httptools.HttpParserError:
                self.target = self.target or _target(piece)
                return self._wrong or refusals.BAD_REQUEST
            if len(self._headers) > self._limits.headers:
                return refusals.too_many_headers(self._limits.headers)
            # Trailers and chunk framing count like a head. A head that begins right after a body counts from the
            # next piece on.
            self._head_bytes = 0 if self._in_body else self._head_bytes + len(piece)
        return None

    def close(self) -> None:
        del self._parser

    # Called by httptools

    def on_message_begin(self) -> None:
        if not self._taker.begins():
            raise _Refused
        self.in_head = True
        self.target = b""
        self._headers = []
        self._noted = {}

    def on_url(self, url: bytes) -> None:
        self.target += url
        if len(self.target) > self._limits.target_bytes:
            self._stop(refusals.target_too_long(self._limits.target_bytes))

    def on_header(self, name: bytes, value: bytes) -> None:
        name = name.lower()
        if name in _NOTED:
            if name in self._noted and name in _ONCE:
                self._stop(refusals.twice(name))
            self._noted[name] = value
        self._headers.append((name, value))

    def on_headers_complete(self) -> None:
        if len(self._headers) > self._limits.headers:
            self._stop(refusals.too_many_headers(self._limits.headers))
        scope, noted, parser = self._scope(), self._noted, self._parser
        modern = scope["http_version"] == "1.1"
        if modern and b"host" not in noted:
            self._stop(refusals.WITHOUT_HOST)
        if not modern and scope["http_version"] != "1.0":
            self._stop(refusals.BAD_REQUEST)
        self._most_body = self._limits.body_bytes_of(scope["path"])
        if b"content-length" in noted or b"transfer-encoding" in noted:
            self._check_body()
        self.in_head = False
        self._headers, self._noted = [], {}  # trailers follow now
        self._body = self._taker.requested(
            scope,
            self._most_body,
            keep_alive=modern and parser.should_keep_alive(),
            awaits_continue=modern and b"expect" in noted and noted[b"expect"].lower() == b"100-continue",
            forwarded=b"x-forwarded-for" in noted or b"x-forwarded-proto" in noted,
        )

    def on_body(self, body: bytes) -> None:
        self._in_body = True
        if self._body is not None and not self._body.take(body):
            self._stop(refusals.body_too_large(self._most_body))

    def on_message_complete(self) -> None:
        self._in_body = True
        if self._body is not None:
            self._body.end()
            self._body = None

    def _scope(self) -> Scope:
        raw_path, _, query = self.target.partition(b"#")[0].partition(b"?")
        if not raw_path.startswith(b"/"):
            raw_path = httptools.parse_url(self.target).path or b"/"
        path = raw_path.decode("ascii")
        scope: Any = {
            "type": "http",
            "asgi": _ASGI,
            "http_version": self._parser.get_http_version(),
            "method": self._parser.get_method().decode("ascii"),
            "scheme": "http",
            "path": unquote(path) if "%" in path else path,
            "raw_path": raw_path,
            "query_string": query,
            "root_path": "",
            "headers": self._headers,
            "client": self._ends.client,
            "server": self._ends.server,
            "extensions": self._ends.extensions,
            "state": {},
        }
        found: Scope = scope
        return found

    def _check_body(self) -> None:
        """Check the body's headers before any of it is read."""
        if self._noted.get(b"transfer-encoding", b"chunked").lower() != b"chunked":
            self._stop(refusals.BAD_REQUEST)
        size = int(self._noted.get(b"content-length", 0))
        if size > self._most_body:
            self._stop(refusals.body_too_large(self._most_body))
        if (size or b"transfer-encoding" in self._noted) and self._parser.should_upgrade():
            self._stop(refusals.UPGRADE_WITH_BODY)

    def _stop(self, problem: Problem) -> None:
        self._wrong = problem
        raise _Refused


def _target(begun: bytes | memoryview) -> bytes:
    """The target of a request that httptools cannot parse."""
    return bytes(begun).lstrip().partition(b" ")[2]
