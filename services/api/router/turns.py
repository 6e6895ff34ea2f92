"""Work in steps on the event loop: whoever has a long way to go gives everybody else a turn after each step."""

import asyncio
from typing import TypeVar

from services.api.router.members import Steps

T = TypeVar("T")


class Turns:
    """However many have something to do, the event loop is held for one step of one of them at a time."""

    def __init__(self) -> None:
        self._turn = asyncio.Lock()

    async def finished(self, steps: Steps[T]) -> T:
        """What comes of them. Most work has only one step, and waits for nobody."""
        try:
            next(steps)
            while True:
                async with self._turn:  # first come, first served
                    await asyncio.sleep(0)
                    next(steps)
        except StopIteration as done:
            result: T = done.value
            return result
