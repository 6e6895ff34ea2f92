"""Reads a machine's output for as long as its work is wanted."""

import asyncio
from collections.abc import AsyncGenerator, Callable
from typing import Any

from services.provisioner.action_context import ActionContext
from shared.machine import Exited


async def while_wanted(
    context: ActionContext, machine: AsyncGenerator[str | Exited], check_time: Callable[[], None]
) -> AsyncGenerator[str | Exited]:
    """Pass on the machine's output. Check regularly, also while it is silent, whether to continue.

    Raises Overtaken, LeaseLost, whatever `check_time` raises, and Unreachable.
    """
    coming = asyncio.ensure_future(anext(machine))
    looking = asyncio.ensure_future(context.lease.sleep(context.settings.install_look_seconds))
    try:
        while True:
            await asyncio.wait({coming, looking}, return_when=asyncio.FIRST_COMPLETED)
            if looking.done():
                looking.result()
                await context.guard()
                check_time()
                looking = asyncio.ensure_future(context.lease.sleep(context.settings.install_look_seconds))
            if coming.done():
                received = coming.result()
                coming = asyncio.ensure_future(anext(machine))
                yield received
    finally:
        await _end(coming)
        await _end(looking)


async def _end(task: "asyncio.Future[Any]") -> None:
    """End a task whose outcome no longer matters."""
    task.cancel()
    await asyncio.wait({task})
    if not task.cancelled():
        task.exception()
