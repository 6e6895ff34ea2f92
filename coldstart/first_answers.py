"""When a worker first answers directly, and when through the router: measured from outside, like a client."""

import threading
import time
from collections.abc import Iterable, Iterator
from types import TracebackType
from typing import Any, Final, Self

import httpx

from coldstart.stream_messages import Happened

_PAUSE_S: Final = 0.01
_PATIENCE_S: Final = 60.0


class FirstAnswers:
    """Asks worker and router repeatedly once the install is done, each on a separate thread."""

    def __init__(self, api_url: str, key: str, model: str, worker_port: int = 8000) -> None:
        self._api_url = api_url
        self._key = key
        self._model = model
        self._worker_port = worker_port
        self._first: dict[str, float] = {}
        self._threads: list[threading.Thread] = []
        self._over = threading.Event()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._over.set()
        for thread in self._threads:
            thread.join()

    def passed_on(self, events: Iterable[Happened]) -> Iterator[Happened]:
        """Passes the instance's events on, and starts asking once they contain the worker's address."""
        for event in events:
            if event.type == "SshInstallCompleted" and event.instance.ip_address and not self._threads:
                self._begin(event.instance.ip_address)
            yield event

    def routed_after(self) -> float:
        """Seconds from the worker's first answer to the router's."""
        for thread in self._threads:
            thread.join(_PATIENCE_S)
        return self._first["router"] - self._first["worker"]

    def _begin(self, address: str) -> None:
        body = {"model": self._model, "max_tokens": 1, "prompt": "hello"}
        questions: dict[str, dict[str, Any]] = {
            "worker": {"method": "GET", "url": f"http://{address}:{self._worker_port}/health"},
            "router": {
                "method": "POST",
                "url": f"{self._api_url}/v1/completions",
                "json": body,
                "headers": {"Authorization": f"Bearer {self._key}"},
            },
        }
        for name, question in questions.items():
            thread = threading.Thread(target=self._ask, args=(name, question), daemon=True)
            thread.start()
            self._threads.append(thread)

    def _ask(self, name: str, question: dict[str, Any]) -> None:
        with httpx.Client() as client:
            while not self._over.wait(_PAUSE_S):
                try:
                    answered = client.request(**question).is_success
                except httpx.TransportError:
                    continue  # refused until the engine is up
                if answered:
                    self._first[name] = time.monotonic()
                    return
