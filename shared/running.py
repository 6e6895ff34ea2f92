"""From an `async with` to a process: runs until SIGTERM or SIGINT, then leaves the block in good order."""

import asyncio
import signal
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager

import structlog
import uvloop

log = structlog.get_logger()


def run(running: Callable[[], AbstractAsyncContextManager[object]]) -> None:
    """Enter what `running` returns, say so, and leave it on the first signal."""
    uvloop.run(_until_told(running))


async def _until_told(running: Callable[[], AbstractAsyncContextManager[object]]) -> None:
    told = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, told.set)
    async with running():
        log.info("running")
        await told.wait()
        log.info("stopping")
