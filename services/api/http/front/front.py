"""Shared by all connections: the application, the limits, the places, and a check of each once a second."""

import asyncio
import os
from collections.abc import Callable
from email.utils import formatdate
from typing import Final, cast

from litestar.types import ASGIApp
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware
from uvicorn.server import ServerState

from services.api.http.front.exchange import Exchange
from services.api.http.front.limits import ClientLimits
from services.api.http.front.places import Places
from shared.clock import seconds

LOOK_EVERY_S: Final = 1.0
_PROXIES: Final = "127.0.0.1,::1"


class Front:
    """`state` holds uvicorn's connections and tasks."""

    def __init__(
        self, app: ASGIApp, limits: ClientLimits, state: ServerState, clock: Callable[[], float] | None = None
    ) -> None:
        self.app = app
        trusted = os.environ.get("FORWARDED_ALLOW_IPS", _PROXIES)
        self.app_behind_proxy = cast("ASGIApp", ProxyHeadersMiddleware(app, trusted))  # type: ignore[arg-type]
        self.limits = limits
        self.state = state
        self._loop = asyncio.get_running_loop()
        self.clock = clock or self._loop.time
        self.places = Places(limits.connections, self.clock)
        self.date = _date()

    def run(self, exchange: Exchange) -> None:
        task = self._loop.create_task(exchange.run())
        self.state.tasks.add(task)
        task.add_done_callback(self.state.tasks.discard)

    def look(self) -> None:
        now = self.clock()
        for connection in tuple(self.state.connections):
            connection.look(now)  # type: ignore[union-attr]

    async def watch(self) -> None:
        while True:
            await asyncio.sleep(LOOK_EVERY_S)
            self.date = _date()
            self.look()


def _date() -> bytes:
    return b"date: %b\r\n" % formatdate(seconds(), usegmt=True).encode()
