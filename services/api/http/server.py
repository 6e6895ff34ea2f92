"""uvicorn's server inside an `async with`, with our own connections. It handles no signals."""

import asyncio
import math
import socket
from collections.abc import AsyncGenerator, Callable, Generator
from contextlib import asynccontextmanager, contextmanager
from typing import Any, Final, cast

import uvicorn
from litestar.types import ASGIApp

from services.api.http.front.connection import ClientConnection
from services.api.http.front.front import Front
from services.api.http.front.limits import ClientLimits

_BACKLOG: Final = 2048
_LAST_WORDS_S: Final = 2
_ACCEPTED_AT_ONCE: Final = 32
"""How many connections get a descriptor before it is checked whether there is a place for them."""


class _Server(uvicorn.Server):
    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Fix asyncio, which uses one number for how many it accepts at once and how many may wait."""
        await super().startup(sockets)
        for listener in sockets or ():
            listener.listen(_BACKLOG)

    @contextmanager
    def capture_signals(self) -> Generator[None]:
        yield


def _ignore() -> None:
    pass


@asynccontextmanager
async def serving(
    app: ASGIApp,
    host: str,
    port: int,
    *,
    limits: ClientLimits,
    grace_s: float,
    on_leaving: Callable[[], None],
    on_time_up: Callable[[], None] = _ignore,
    beside_others: bool = False,
) -> AsyncGenerator[str]:
    """Serve `app`; yields its URL (port 0 takes a free port). `beside_others`: other processes listen there, too.

    On leaving, no connection is accepted any more, `on_leaving` is called, and running answers have `grace_s`. Then
    `on_time_up` is called, and what does not end by that is cut off after two seconds.
    """
    listener = socket.create_server(
        (host, port),
        family=socket.AF_INET6 if ":" in host else socket.AF_INET,
        backlog=_BACKLOG,
        reuse_port=beside_others,
    )
    # asyncio sets it only on sockets that name their protocol; without it a body waits 40 ms after its head
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    server, front = _server(app, limits, grace_s)
    with listener:
        async with asyncio.TaskGroup() as group:
            watching = group.create_task(front.watch())
            serving = group.create_task(server.serve(sockets=[listener]))
            try:
                yield url_of(host, listener.getsockname()[1])
            finally:
                server.should_exit = True
                on_leaving()
                await asyncio.wait([serving], timeout=grace_s)  # a task group that an error ends would cancel it midway
                if not serving.done():
                    on_time_up()
                    await asyncio.wait([serving])
                watching.cancel()


def _server(app: ASGIApp, limits: ClientLimits, grace_s: float) -> tuple[_Server, Front]:
    def connection(**_: Any) -> ClientConnection:
        return ClientConnection(front)

    server = _Server(
        uvicorn.Config(
            cast("Any", app),
            http=cast("Any", connection),  # uvicorn only calls it
            ws="none",
            lifespan="off",
            log_config=None,
            proxy_headers=False,
            backlog=_ACCEPTED_AT_ONCE,
            timeout_graceful_shutdown=math.ceil(grace_s) + _LAST_WORDS_S,
        )
    )
    front: Front = Front(app, limits, server.server_state)
    return server, front


def url_of(host: str, port: int) -> str:
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
