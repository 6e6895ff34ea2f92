"""The content of /metrics, in Prometheus's format, and the counting of requests."""

import time
from collections.abc import Awaitable
from contextlib import suppress
from functools import cache
from typing import Final

from litestar.types import ASGIApp, Message, Receive, Scope, Send
from nats.js import JetStreamContext
from prometheus_client import CONTENT_TYPE_LATEST, Counter, Gauge, Histogram, generate_latest

from services.api.feed.feed import Feed
from services.api.http.inference_paths import V1
from services.api.router.metrics import Gauges
from shared.bus.reader import TRANSPORT
from shared.bus.topology import DEAD_LETTERS
from shared.metrics import without_beginnings

CONTENT_TYPE: Final = CONTENT_TYPE_LATEST

_requests: Final = Counter("coldstart_http_requests_total", "Requests answered", ["method", "route", "status"])
_seconds: Final = Histogram("coldstart_http_response_start_seconds", "Until a response began", ["route"])
_in_flight: Final = Gauge("coldstart_http_requests_in_flight", "Requests being answered, event streams included")
_clients: Final = Gauge("coldstart_sse_clients", "Clients that follow events")
_dead: Final = Gauge("coldstart_dead_letters_stored", "Messages that nobody could handle and that wait for a person")

_answered: Final = cache(_requests.labels)
_took: Final = cache(_seconds.labels)
"""`labels` itself takes longer than counting."""
_UNKNOWN: Final = "unknown"


async def rendered(feed: Feed, gauges: Gauges, jetstream: JetStreamContext) -> bytes:
    """The count of dead letters is from the stream's last answer."""
    without_beginnings()
    gauges.look()
    _clients.set(feed.clients)
    with suppress(*TRANSPORT):  # the feed's age already shows it
        _dead.set((await jetstream.stream_info(DEAD_LETTERS)).state.messages)
    return generate_latest()


class Measured:
    """The outermost application: counts what passes."""

    def __init__(self, app: ASGIApp, inference_paths: frozenset[str]) -> None:
        self._app = app
        self._inference_paths = inference_paths

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        path, method, began = scope["path"], scope.get("method", ""), time.perf_counter()

        def sending(message: Message) -> Awaitable[None]:
            if message["type"] == "http.response.start":
                route = self._route(scope, path)
                _took(route).observe(time.perf_counter() - began)
                _answered(str(method), route, str(message["status"])).inc()
            return send(message)

        _in_flight.inc()
        try:
            await self._app(scope, receive, sending)
        finally:
            _in_flight.dec()

    def _route(self, scope: Scope, path: str) -> str:
        """The route's template: paths with ids in them would make a series each."""
        if path in self._inference_paths:
            return path
        if path.startswith(V1):
            return V1
        return str(scope.get("path_template") or _UNKNOWN)
