"""A clock that moves only while everybody waits."""

import asyncio
import heapq
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


class SteppedClock:
    """Time passes only while everybody waits: to the earliest end of a wait."""

    def __init__(self) -> None:
        self.time = 0.0
        self._waiting: list[tuple[float, int, asyncio.Event]] = []
        self._count = 0

    def now(self) -> float:
        return self.time

    async def wait(self, seconds: float, sooner: asyncio.Event) -> None:
        over = asyncio.Event()
        self._count += 1
        heapq.heappush(self._waiting, (self.time + seconds, self._count, over))
        waits = [asyncio.ensure_future(event.wait()) for event in (over, sooner)]
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for each in waits:
                each.cancel()

    async def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Let time pass until it has ended."""
        task = asyncio.ensure_future(work)
        while not task.done():
            for _ in range(20):
                await asyncio.sleep(0)
            if not task.done() and self._waiting:
                moment, _, over = heapq.heappop(self._waiting)
                self.time = max(self.time, moment)
                over.set()
        return task.result()
