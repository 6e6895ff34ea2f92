"""Long work in steps on the event loop. After each step, other tasks get their turn."""

import asyncio
from typing import TypeVar

from services.api.router.members import Steps

T = TypeVar("T")


class Turns:
    """However much work there is, the event loop is blocked for one step of one task at a time."""

    def __init__(self) -> None:
        self._turn = asyncio.Lock()

    async def finished(self, steps: Steps[T]) -> T:
        """The result of the steps. Most work has only one step, and does not wait."""
        try:
            next(steps)
            while True:
                async with self._turn:  # first come, first served
                    await asyncio.sleep(0)
                    next(steps)
        except StopIteration as done:
            result: T = done.value
            return result
