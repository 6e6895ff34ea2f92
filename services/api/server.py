"""uvicorn inside an `async with`: signals stay with whoever runs the process."""

import asyncio
import socket
from collections.abc import AsyncGenerator, Callable, Generator
from contextlib import asynccontextmanager, contextmanager
from typing import Final

import uvicorn
from litestar.types import ASGIApp

_BACKLOG: Final = 2048


class _Server(uvicorn.Server):
    @contextmanager
    def capture_signals(self) -> Generator[None]:
        yield


@asynccontextmanager
async def serving(
    app: ASGIApp, host: str, port: int, *, grace_s: float, kept_alive_s: float, on_leaving: Callable[[], None]
) -> AsyncGenerator[str]:
    """Serve `app`; yields the URL it is bound to (port 0 takes a free one).

    A connection is kept for `kept_alive_s` after an answer, in whole seconds: longer than its client keeps it, so that
    no request meets its end. On leaving no connection is taken any more, `on_leaving` is called, and what is being
    answered has `grace_s`.
    """
    listener = socket.create_server(
        (host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET, backlog=_BACKLOG
    )
    server = _Server(
        uvicorn.Config(
            app,
            http="httptools",
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            timeout_keep_alive=max(1, round(kept_alive_s)),
            timeout_graceful_shutdown=max(1, round(grace_s)),
        )
    )
    with listener:
        async with asyncio.TaskGroup() as group:
            serving = group.create_task(server.serve(sockets=[listener]))
            try:
                yield _url(host, listener.getsockname()[1])
            finally:
                server.should_exit = True
                on_leaving()
                await asyncio.wait([serving])  # a group that is left by an error would cancel it in the middle


def _url(host: str, port: int) -> str:
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
