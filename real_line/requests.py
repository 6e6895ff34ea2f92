"""Requests that are watched while something happens to their worker."""

import json
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx
from httpx_sse import EventSource

from real_line.hub import CHAT
from real_line.line import Launch, Wrong, running
from real_line.waiting import until

_PAUSE_S = 0.25


@contextmanager
def long_stream(launch: Launch, tokens: int) -> Iterator[httpx.Response]:
    """A stream of that many tokens, open and answering; the engine works on it."""
    reach = launch.line.stack.reach
    body = {
        "model": CHAT,
        "messages": [{"role": "user", "content": "Tell me a long story."}],
        "max_tokens": tokens,
        "ignore_eos": True,
        "stream": True,
        "stream_options": {"include_usage": True},
    }
    headers = {"Authorization": f"Bearer {reach.admin_key}"}
    with (
        launch.worker() as worker,
        httpx.stream(
            "POST", f"{reach.api_url}/v1/chat/completions", json=body, headers=headers, timeout=120
        ) as response,
    ):
        if response.status_code != 200:
            raise Wrong(f"{response.status_code} {response.read()!r}")
        until(lambda: running(worker) >= 1, "the engine works on it", 30)
        yield response


def cancelled(launch: Launch) -> str:
    """A client that leaves in the middle of a stream: the engine has to forget the request within a second."""
    with launch.worker() as worker:
        with long_stream(launch, 1900):
            pass
        left = time.monotonic()
        until(lambda: running(worker) == 0, "the engine has forgotten it", 30)
        seconds = time.monotonic() - left
    if seconds > 1:
        raise Wrong(f"only after {seconds:.2f} s")
    return f"gone from the engine after {seconds * 1000:.0f} ms"


@dataclass
class Reading:
    """A long stream that is read by a thread of its own: its tokens by vLLM's count, and how it ended."""

    tokens: int = 0
    finish: str | None = None
    error: str | None = None

    def read(self, response: httpx.Response) -> None:
        try:
            for event in EventSource(response).iter_sse():
                if event.data.startswith("{"):
                    self._take(json.loads(event.data))
        except httpx.HTTPError as error:
            self.error = repr(error)

    def _take(self, chunk: dict[str, Any]) -> None:
        if usage := chunk.get("usage"):
            self.tokens = usage["completion_tokens"]
        for choice in chunk["choices"]:
            self.finish = choice["finish_reason"] or self.finish


@dataclass
class Asking:
    """Short requests, one every quarter of a second, by what came back: a status, or the error of the connection."""

    answers: Counter[str] = field(default_factory=Counter)

    def __str__(self) -> str:
        return ", ".join(f"{count} x {what}" for what, count in self.answers.items())


@contextmanager
def asking(launch: Launch) -> Iterator[Asking]:
    """Asks until the end of the block."""
    told, over = Asking(), threading.Event()

    def ask() -> None:
        while not over.wait(_PAUSE_S):
            try:
                answer = launch.ask("/v1/completions", {"model": CHAT, "prompt": "Hello", "max_tokens": 1}, 120)
                code = "" if answer.is_success else f" {answer.json()['error']['code']}"
                told.answers[f"{answer.status_code}{code}"] += 1
            except httpx.HTTPError as error:
                told.answers[type(error).__name__] += 1

    thread = threading.Thread(target=ask, daemon=True)
    thread.start()
    try:
        yield told
    finally:
        over.set()
        thread.join(120)
