"""An api on loopback that answers what a test has laid down, and keeps what it was asked."""

import json
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from coldstart.stream_messages import DeploymentHappened, Happened
from tests.coldstart.told import message


@dataclass(frozen=True)
class Asked:
    method: str
    path: str
    headers: dict[str, str]
    body: Any


@dataclass(frozen=True)
class Answer:
    body: bytes
    status: int = 200
    kind: str = "application/json"
    hold: bool = False
    """Keep the connection open after the body, as a stream with nothing new does."""


@dataclass
class FakeApi:
    url: str = ""
    answers: dict[tuple[str, str], list[Answer]] = field(default_factory=dict)
    asked: list[Asked] = field(default_factory=list)
    over: threading.Event = field(default_factory=threading.Event)
    holding: threading.Event = field(default_factory=threading.Event)
    otherwise: Callable[[Asked], Answer] | None = None
    """Answers what nothing was laid down for."""

    def says(self, method: str, path: str, *answers: Answer) -> None:
        """In this order; the last one again and again."""
        self.answers[method, path] = list(answers)

    def answer(self, asked: Asked) -> Answer:
        self.asked.append(asked)
        given = self.answers.get((asked.method, asked.path.partition("?")[0]))
        if given is None and self.otherwise is not None:
            return self.otherwise(asked)
        if given is None:
            return problem(404, "There is nothing at this address", "See /schema.")
        return given.pop(0) if len(given) > 1 else given[0]


def values(value: Any, status: int = 200) -> Answer:
    return Answer(json.dumps(value).encode(), status)


def page(*items: dict[str, Any], then: str | None = None) -> Answer:
    return values({"items": items, "next_cursor": then})


def problem(status: int, title: str, detail: str) -> Answer:
    body = {"type": "urn:x", "title": title, "status": status, "detail": detail, "errors": [{"detail": detail}]}
    return Answer(json.dumps(body).encode(), status, "application/problem+json")


def stream(
    events: Sequence[Happened | DeploymentHappened],
    *,
    more: bytes = b"",
    hold: bool = False,
    position: str = "0a0b0c0d-0",
) -> Answer:
    """`position`: where it says at first that it begins."""
    body = f": connected\nid: {position}\n\n".encode() + b"".join(message(event) for event in events) + more
    return Answer(body, 200, "text/event-stream; charset=utf-8", hold)


@contextmanager
def fake_api() -> Iterator[FakeApi]:
    api = FakeApi()

    class Handler(BaseHTTPRequestHandler):
        def _answer(self) -> None:
            length = int(self.headers.get("content-length") or 0)
            body = json.loads(self.rfile.read(length)) if length else None
            headers = {name.lower(): value for name, value in self.headers.items()}
            answer = api.answer(Asked(self.command, self.path, headers, body))
            self.send_response(answer.status)
            self.send_header("content-type", answer.kind)
            self.end_headers()
            self.wfile.write(answer.body)
            self.wfile.flush()
            if answer.hold:
                api.holding.set()
                api.over.wait(60)

        do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = _answer  # noqa: N815 (http.server's names)

        def log_message(self, *_: object) -> None:
            """Nothing: a test looks at what was asked."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    api.url = f"http://127.0.0.1:{server.server_address[1]}"
    serving = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    serving.start()
    try:
        yield api
    finally:
        api.over.set()
        server.shutdown()
        serving.join()
        server.server_close()
