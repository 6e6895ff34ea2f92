"""Reports what a slow start is waiting for."""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

SLOW_S: Final = 4.0
Step = Callable[[str], None]
"""Called with the name of each step that begins."""


@contextmanager
def telling_slow_steps(say: Callable[[str], None], slow_s: float = SLOW_S) -> Iterator[Step]:
    """Calls `say` for a step that takes `slow_s`, and again after each further `slow_s`."""
    loop, waiting = asyncio.get_running_loop(), list[asyncio.TimerHandle]()

    def still(what: str) -> None:
        say(f"still starting {what} …")
        waiting[:] = [loop.call_later(slow_s, still, what)]

    def begin(what: str) -> None:
        stop()
        waiting[:] = [loop.call_later(slow_s, still, what)]

    def stop() -> None:
        for handle in waiting:
            handle.cancel()

    try:
        yield begin
    finally:
        stop()
