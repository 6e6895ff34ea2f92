"""What a worker's bytes mean (RFC 9112): where an answer begins, what of it is body, and where it ends."""

from typing import Final

import httptools

from services.api.upstream.answer import Answer
from services.api.upstream.errors import ConnectionLost

_LONGEST_HEAD: Final = 65_536
"""Bytes, with all interim answers before it and the fields after a chunked body."""
_INTERIM: Final = range(100, 200)
_SWITCHING_PROTOCOLS: Final = 101


class Reading:
    """Fills one answer after the other. The on_… methods are called by the parser, within `feed`.

    `go_on`: nothing has been read but whole answers, and none of them was the last.
    """

    def __init__(self) -> None:
        self._parser = httptools.HttpResponseParser(self)
        self.go_on = True

    def expect(self, answer: Answer, *, to_head: bool, last: bool) -> None:
        """`to_head`: its request is a HEAD, so there is no body whatever the fields say; `last`: we have said so."""
        self._answer = answer
        self._to_head = to_head
        self._in_head = True
        self._until_close = False
        self._headers: list[tuple[bytes, bytes]] = []
        self._bytes = 0
        self._fields = 0
        self._status = 0
        self.go_on = not last

    def feed(self, data: bytes) -> None:
        """Raises ConnectionLost for what is not HTTP, or not what was asked for."""
        self._answer.heard()
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade) as error:
            raise ConnectionLost(f"no HTTP: {error.__context__ or error}") from error
        if self._in_head:
            self._bytes = _bounded(self._bytes + len(data))

    def end(self) -> None:
        """Nothing more comes. Raises ConnectionLost when that is too early."""
        if self._until_close and not self._answer.ended:
            self._answer.end()
        elif not self._answer.ended:
            raise ConnectionLost("closed by the worker before the answer's end")

    def on_message_begin(self) -> None:
        if self._answer.ended:
            self.go_on = False  # an answer to nothing

    def on_header(self, name: bytes, value: bytes) -> None:
        self._fields = _bounded(self._fields + len(name) + len(value))
        if self._in_head:
            self._headers.append((name.lower(), value.rstrip(b" \t")))  # RFC 9112, 5.1; the parser leaves it

    def on_headers_complete(self) -> None:
        if self._answer.ended:
            return
        self._status = self._parser.get_status_code()
        if self._status == _SWITCHING_PROTOCOLS:
            raise ConnectionLost("the worker changes the protocol")
        if self._status in _INTERIM:
            self._headers = []
            return
        self._in_head = False
        codings = [value.lower() for name, value in self._headers if name == b"transfer-encoding"]
        if codings not in ([], [b"chunked"]):
            raise ConnectionLost(f"unknown transfer coding {codings}")
        self._until_close = not codings and all(name != b"content-length" for name, _ in self._headers)
        if not self._parser.should_keep_alive():
            self.go_on = False
        self._answer.begin(self._status, self._headers)
        if self._to_head:
            self.go_on = False  # the parser would take what comes next for the body
            self._answer.end()

    def on_body(self, data: bytes) -> None:
        if not self._answer.ended:
            self._answer.add(data)

    def on_message_complete(self) -> None:
        if self._status not in _INTERIM and not self._answer.ended:
            self._answer.end()


def _bounded(size: int) -> int:
    if size > _LONGEST_HEAD:
        raise ConnectionLost(f"a head of more than {_LONGEST_HEAD} bytes")
    return size
