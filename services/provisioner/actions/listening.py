"""Listen to a machine for as long as anybody wants what it does."""

import asyncio
from collections.abc import AsyncGenerator, Callable
from typing import Any

from services.provisioner.action_context import ActionContext
from shared.machine import Exited


async def while_wanted(
    context: ActionContext, machine: AsyncGenerator[str | Exited], check_time: Callable[[], None]
) -> AsyncGenerator[str | Exited]:
    """Pass on what the machine says; every now and then, and while it says nothing, see whether to go on.

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
                said = coming.result()
                coming = asyncio.ensure_future(anext(machine))
                yield said
    finally:
        await _end(coming)
        await _end(looking)


async def _end(task: "asyncio.Future[Any]") -> None:
    """Its outcome no longer matters to anyone."""
    task.cancel()
    await asyncio.wait({task})
    if not task.cancelled():
        task.exception()
