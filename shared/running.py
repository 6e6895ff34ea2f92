"""Runs an `async with` block as a process: until SIGTERM or SIGINT, then leaves the block in order.

It reports that it serves and that it stops by the protocol of sd_notify(3): a datagram to the socket in
NOTIFY_SOCKET. So `Type=notify` works under systemd as it does under `coldstart up`.
"""

import asyncio
import gc
import os
import signal
import socket
import sys
from collections.abc import AsyncGenerator, Callable, Coroutine, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager
from typing import Any, Final

import structlog
import uvloop

_AGAIN_S: Final = 1.0

log = structlog.get_logger()


class StartRefused(Exception):
    """The service cannot start in this environment; the message says in one sentence what to do."""


def run(running: Callable[[], AbstractAsyncContextManager[object]]) -> None:
    """Enter what `running` returns, report it, and leave it on the first signal."""
    with exiting_when_refused():
        uvloop.run(_until_signalled(running))


@contextmanager
def exiting_when_refused() -> Iterator[None]:
    """A refused start prints a line on standard error and exits with 1."""
    try:
        yield
    except StartRefused as refused:
        sys.exit(str(refused))


@asynccontextmanager
async def alongside(*work: Coroutine[Any, Any, None]) -> AsyncGenerator[None]:
    """Do this while the block lasts, and cancel it behind the block. Work that fails ends the block."""
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(one) for one in work]
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()


async def _until_signalled(running: Callable[[], AbstractAsyncContextManager[object]]) -> None:
    """A signal also ends a start that is still waiting for a server."""
    signalled, starting = asyncio.Event(), asyncio.current_task()

    def tell() -> None:
        signalled.set()
        if starting is not None:
            starting.cancel()
            loop.call_later(_AGAIN_S, tell)  # a client library may lose a cancellation that comes while it connects

    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, tell)
    try:
        async with running():
            starting = None
            _settle()
            log.info("running")
            _notify("READY=1")
            await signalled.wait()
            log.info("stopping")
            _notify("STOPPING=1")
    except asyncio.CancelledError:
        if starting is None:
            raise


def _settle() -> None:
    """Freezes the objects of the start, which stay: a full garbage collection over them would take 100 ms."""
    gc.collect()
    gc.freeze()


def _notify(state: str) -> None:
    address = os.environ.get("NOTIFY_SOCKET")
    if address is None:
        return
    if address.startswith("@"):  # Linux's abstract namespace
        address = "\0" + address[1:]
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as datagrams:
        datagrams.sendto(state.encode(), address)
