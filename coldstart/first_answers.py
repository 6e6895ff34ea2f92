"""When a worker first listens, and when the router first passes an answer of it on: measured from outside."""

import socket
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from types import TracebackType
from typing import Final, Self

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
        self._router = httpx.Client(trust_env=False)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._over.set()
        for thread in self._threads:
            thread.join()
        self._router.close()

    def passed_on(self, events: Iterable[Happened]) -> Iterator[Happened]:
        """Passes the instance's events on, and starts asking once they contain the worker's address."""
        for event in events:
            if event.type == "SshInstallCompleted" and event.instance.ip_address and not self._threads:
                self._begin(event.instance.ip_address)
            yield event

    def routed_after(self) -> float:
        """Seconds from the moment when the worker listens to the router's first answer."""
        for thread in self._threads:
            thread.join(_PATIENCE_S)
        return self._first["router"] - self._first["worker"]

    def _begin(self, address: str) -> None:
        for name, asked in (("worker", partial(self._listens, address)), ("router", self._routed)):
            thread = threading.Thread(target=self._ask, args=(name, asked), daemon=True)
            thread.start()
            self._threads.append(thread)

    def _ask(self, name: str, asked: Callable[[], bool]) -> None:
        while not self._over.wait(_PAUSE_S):
            if asked():
                self._first[name] = time.monotonic()
                return

    def _listens(self, address: str) -> bool:
        """The port of vLLM is closed until its engine is up. Only this stack has a certificate to ask it for more."""
        try:
            with socket.create_connection((address, self._worker_port), _PATIENCE_S):
                return True
        except OSError:
            return False

    def _routed(self) -> bool:
        body = {"model": self._model, "max_tokens": 1, "prompt": "hello"}
        key = {"Authorization": f"Bearer {self._key}"}
        try:
            return self._router.post(f"{self._api_url}/v1/completions", json=body, headers=key).is_success
        except httpx.TransportError:
            return False
