"""A hub of files over real HTTP on loopback, which drops, stalls, lies, refuses and sends on as it is told."""

import re
import threading
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

_PIECE = 16 * 1024


@dataclass(frozen=True)
class Answer:
    """What is done with one request. By default the file is sent, from where it is asked for.

    `drops_after` and `stalls_after` bytes the connection is closed, or nothing more comes; `meanwhile` is called there.
    """

    status: int = 200
    headers: tuple[tuple[str, str], ...] = ()
    content: bytes | None = None
    drops_after: int | None = None
    stalls_after: int | None = None
    meanwhile: Callable[[], None] | None = None
    ranges: bool = True
    endless: bool = False


@dataclass(frozen=True)
class Request:
    path: str
    begins_at: int
    authorization: str | None
    ends_at: int | None = None
    """Where it is to end, if the request says so: the first byte that is not asked for."""


@dataclass
class LyingHub:
    """`files` by path; `answers` are given to the next requests for a path, one each, and `always` to all others."""

    files: dict[str, bytes] = field(default_factory=dict)
    answers: dict[str, deque[Answer]] = field(default_factory=dict)
    always: dict[str, Answer] = field(default_factory=dict)
    requests: list[Request] = field(default_factory=list)
    url: str = ""
    over: threading.Event = field(default_factory=threading.Event)

    def next_for(self, path: str) -> Answer:
        waiting = self.answers.get(path)
        return waiting.popleft() if waiting else self.always.get(path, Answer())

    def begins_at(self, path: str) -> list[int]:
        """Where each request for it began."""
        return [request.begins_at for request in self.requests if request.path == path]


@contextmanager
def lying_hub(address: str = "127.0.0.1") -> Iterator[LyingHub]:
    hub = LyingHub()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            _answer(hub, self)

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer((address, 0), Handler)
    server.daemon_threads = False
    hub.url = f"http://{address}:{server.server_address[1]}"
    serving = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    serving.start()
    try:
        yield hub
    finally:
        hub.over.set()
        server.shutdown()
        serving.join()
        server.server_close()


def _answer(hub: LyingHub, handler: BaseHTTPRequestHandler) -> None:
    path = handler.path.lstrip("/")
    asked = re.fullmatch(r"bytes=(\d+)-(\d*)", handler.headers.get("Range", ""))
    begin = int(asked[1]) if asked else 0
    end = int(asked[2]) + 1 if asked and asked[2] else None
    hub.requests.append(Request(path, begin, handler.headers.get("Authorization"), end))
    answer = hub.next_for(path)
    handler.close_connection = True
    whole = hub.files.get(path, b"") if answer.content is None else answer.content
    if answer.status != 200:
        _head(handler, answer.status, answer.headers, 0)
        return
    if asked and answer.ranges and begin >= len(whole):
        _head(handler, 416, (), 0)
        return
    if asked and answer.ranges:
        end = min(end or len(whole), len(whole))
        span = ("Content-Range", f"bytes {begin}-{end - 1}/{len(whole)}")
        _head(handler, 206, (span,), end - begin)
        whole = whole[begin:end]
    else:
        _head(handler, 200, (), None if answer.endless else len(whole))
    _send(hub, handler, answer, whole)


def _send(hub: LyingHub, handler: BaseHTTPRequestHandler, answer: Answer, content: bytes) -> None:
    cuts = [cut for cut in (answer.drops_after, answer.stalls_after) if cut is not None]
    try:
        handler.wfile.write(content[: cuts[0]] if cuts else content)
        while answer.endless and not hub.over.is_set():
            handler.wfile.write(bytes(_PIECE))
        handler.wfile.flush()
        if answer.meanwhile is not None:
            answer.meanwhile()
        if answer.stalls_after is not None:
            handler.rfile.read(1)  # until the client leaves
    except ConnectionError:
        pass


def _head(
    handler: BaseHTTPRequestHandler, status: int, headers: tuple[tuple[str, str], ...], length: int | None
) -> None:
    handler.send_response(status)
    for name, value in headers:
        handler.send_header(name, value)
    if length is not None:
        handler.send_header("Content-Length", str(length))
    handler.send_header("Connection", "close")
    handler.end_headers()
