"""Runs an `async with` block as a process: until SIGTERM or SIGINT, then leaves the block in order.

It reports to the service manager that it serves and that it stops.
"""

import asyncio
import gc
import signal
import sys
from collections.abc import AsyncGenerator, Callable, Coroutine, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager, suppress
from typing import Any, Final, TypeVar

import structlog
import uvloop

from shared.service_manager import notify

_AGAIN_S: Final = 1.0
_GARBAGE: Final = (10_000, 20, 20)
"""So many new objects, and so many collections of the younger generation, until the next collection."""
Result = TypeVar("Result")

log = structlog.get_logger()


class StartRefused(Exception):
    """The service cannot start in this environment; the message says in one sentence what to do."""


def run(running: Callable[[], AbstractAsyncContextManager[object]]) -> None:
    """Enter what `running` returns, report it, and leave it on the first signal."""
    with exiting_when_refused():
        uvloop.run(_until_signalled(running))


def run_once(command: Coroutine[Any, Any, Result]) -> Result:
    """What a single command returns."""
    _settle()
    return uvloop.run(command)


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
            notify("READY=1")
            await signalled.wait()
            log.info("stopping")
            with suppress(OSError):  # the service manager may be gone
                notify("STOPPING=1")
    except asyncio.CancelledError:
        if starting is None:
            raise


def _settle() -> None:
    """Freezes the objects of the start, which stay: a full garbage collection over them would take 100 ms.

    From then on it is collected less often. Decoding thousands of events a second makes many objects that are no
    garbage, and looking for it took a third of the time.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(*_GARBAGE)
