"""From an `async with` to a process: runs until SIGTERM or SIGINT, then leaves the block in good order.

Whoever started it is told when it serves and when it stops, by the protocol of sd_notify(3): a datagram to the
socket in NOTIFY_SOCKET, so `Type=notify` works under systemd as it does under `coldstart up`.
"""

import asyncio
import gc
import os
import signal
import socket
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractAsyncContextManager, contextmanager
from typing import Final

import structlog
import uvloop

_AGAIN_S: Final = 1.0

log = structlog.get_logger()


class StartRefused(Exception):
    """What is there does not allow a start; the message says in one sentence what to do."""


def run(running: Callable[[], AbstractAsyncContextManager[object]]) -> None:
    """Enter what `running` returns, say so, and leave it on the first signal."""
    with refusal_told():
        uvloop.run(_until_told(running))


@contextmanager
def refusal_told() -> Iterator[None]:
    """A refused start is a line on standard error and exit status 1."""
    try:
        yield
    except StartRefused as refused:
        sys.exit(str(refused))


async def _until_told(running: Callable[[], AbstractAsyncContextManager[object]]) -> None:
    """A start that waits for a server which is away ends on a signal too."""
    told, starting = asyncio.Event(), asyncio.current_task()

    def tell() -> None:
        told.set()
        if starting is not None:
            starting.cancel()
            loop.call_later(_AGAIN_S, tell)  # a client library may swallow a cancellation that comes while it connects

    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, tell)
    try:
        async with running():
            starting = None
            _settle()
            log.info("running")
            _notify("READY=1")
            await told.wait()
            log.info("stopping")
            _notify("STOPPING=1")
    except asyncio.CancelledError:
        if starting is None:
            raise


def _settle() -> None:
    """What a service is made of stays: a full collection that looked at it again would stop it for 100 ms."""
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
