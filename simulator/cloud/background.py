"""What goes on after a call was answered: tasks that nobody waits for, and their errors."""

import asyncio
import logging
from collections.abc import Callable, Coroutine, Sequence

log = logging.getLogger(__name__)


class Background:
    """Owns every task. `on_change` is called after each."""

    def __init__(self, on_change: Callable[[], None]) -> None:
        self._on_change = on_change
        self._tasks: set[asyncio.Task[None]] = set()
        self._faults: list[BaseException] = []

    def begin(self, work: Coroutine[None, None, None]) -> asyncio.Task[None]:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._done)
        return task

    async def end(self) -> Sequence[BaseException]:
        """Cancel all that still run. Returns every error of theirs, ever."""
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks)
        return self._faults

    def _done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        self._on_change()
        if not task.cancelled() and (fault := task.exception()) is not None:
            log.error("a simulated machine failed", exc_info=fault)
            self._faults.append(fault)


async def cancelled(task: asyncio.Task[None] | None) -> None:
    """Cancel it and return once it has ended; its owner keeps its error."""
    if task is not None:
        task.cancel()
        await asyncio.wait([task])
