"""A start that takes long says what it is waiting for."""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

SLOW_S: Final = 4.0
Step = Callable[[str], None]
"""Told what is begun now."""


@contextmanager
def telling_slow_steps(say: Callable[[str], None], slow_s: float = SLOW_S) -> Iterator[Step]:
    """`say` is told of a step that lasts, and again each time it has lasted as long once more."""
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
