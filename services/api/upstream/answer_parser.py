"""Parses a worker's bytes (RFC 9112): where an answer begins, what is its body, and where it ends."""

from typing import Final

import httptools

from services.api.upstream.answer import Answer
from services.api.upstream.errors import ConnectionLost

_LONGEST_HEAD: Final = 65_536
"""The most bytes between two bytes of body: a head with all interim answers before it, the extensions of a chunk, or
the fields after a chunked body."""
_MOST_FIELDS: Final = 128
"""The most fields in all of those together."""
_STATUSES: Final = range(100, 600)
_INTERIM: Final = range(100, 200)
_NO_CONTENT: Final = 204
_SWITCHING_PROTOCOLS: Final = 101


class AnswerParser:
    """Fills one answer after the other. The parser calls the on_… methods, within `feed`.

    `go_on`: only whole answers have been read, and the connection may continue.
    """

    def __init__(self) -> None:
        self._parts: list[bytes] = []
        self.on_body = self._parts.append  # a method of ours would cost more than all else for a chunk of a stream
        self._parser = httptools.HttpResponseParser(self)
        self.go_on = True

    def expect(self, answer: Answer, *, to_head: bool, last: bool) -> None:
        """`to_head`: the request is a HEAD, so there is no body whatever the fields say; `last`: we asked to close."""
        self._answer = answer
        self._to_head = to_head
        self._in_head = True
        self._until_close = False
        self._headers: list[tuple[bytes, bytes]] = []
        self._codings: list[bytes] = []
        self._lengths: list[bytes] = []
        self._beside = 0
        self._fields = 0
        self._status = 0
        self.go_on = not last

    def feed(self, data: bytes | memoryview) -> None:
        """Raises ConnectionLost for anything that is not HTTP, or was not requested."""
        self._answer.heard()
        self._beside += len(data)
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade) as error:
            raise ConnectionLost(f"not HTTP: {error.__context__ or error}") from error
        finally:
            self._hand_over()
        if self._beside > _LONGEST_HEAD:
            raise ConnectionLost(f"more than {_LONGEST_HEAD} bytes outside the body")

    def end(self) -> None:
        """The worker has closed. Raises ConnectionLost if that is too early."""
        if self._until_close and not self._answer.ended:
            self._answer.end()
        elif not self._answer.ended:
            raise ConnectionLost("closed by the worker before the answer's end")

    def on_message_begin(self) -> None:
        if self._answer.ended:
            self.go_on = False  # an answer without a request

    def on_header(self, name: bytes, value: bytes) -> None:
        self._fields += 1
        if self._fields > _MOST_FIELDS:
            raise ConnectionLost(f"more than {_MOST_FIELDS} fields")
        if self._in_head:
            name, value = name.lower(), value.rstrip(b" \t")  # RFC 9112, 5.1; the parser leaves it in
            self._headers.append((name, value))
            if name == b"transfer-encoding":
                self._codings.append(value.lower())
            elif name == b"content-length":
                self._lengths.append(value)

    def on_headers_complete(self) -> None:
        if self._answer.ended:
            return
        self._status = self._parser.get_status_code()
        if self._status not in _STATUSES:
            raise ConnectionLost(f"no such status: {self._status}")
        if self._status == _SWITCHING_PROTOCOLS:
            raise ConnectionLost("the worker switches the protocol")
        if self._status in _INTERIM:
            self._headers, self._codings, self._lengths = [], [], []
            return
        self._in_head = False
        codings, lengths = self._codings, self._lengths
        if codings and codings != [b"chunked"]:
            raise ConnectionLost(f"unknown transfer coding {codings}")
        if self._status == _NO_CONTENT and (codings or any(length.strip(b"0") for length in lengths)):
            raise ConnectionLost("a body in an answer that must have none")
        self._until_close = not codings and not lengths
        if not self._parser.should_keep_alive():
            self.go_on = False
        self._answer.begin(self._status, self._headers)
        if self._to_head:
            self.go_on = False  # the parser would take what follows for the body
            self._answer.end()

    def on_message_complete(self) -> None:
        if self._status not in _INTERIM and not self._answer.ended:
            self._hand_over()
            self._answer.end()

    def _hand_over(self) -> None:
        """Give the answer what one read brought of its body, whatever the number of chunks."""
        if self._parts:
            self._beside = 0
            if not self._answer.ended:
                self._answer.add(b"".join(self._parts))
            self._parts.clear()
