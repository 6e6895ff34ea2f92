"""What a command on a machine prints, line by line: bounded in length and in pace, however much the machine sends.

A machine that was taken over prints without an end and as fast as the network goes. Whoever reads it no faster than
this is not kept from its other machines: SSH's own window makes the sender wait.
"""

import asyncio
import re
from collections.abc import AsyncGenerator, Awaitable, Callable
from dataclasses import dataclass
from typing import Final, Protocol

LONGEST_LINE: Final = 4096
"""Characters; what a line has beyond them is dropped."""
AT_ONCE: Final = 2 * 1024 * 1024
A_SECOND: Final = 64 * 1024
"""Characters that are read without any wait, and for each second after that."""
_SHORTEST: Final = 256
"""Characters that every line counts for, since its handling costs as much as theirs."""
_PIECE: Final = 16 * 1024
_LINE_ENDS: Final = re.compile(r"\r\n|\n|\r")


class Output(Protocol):
    async def read(self, n: int = -1) -> str:
        """At most `n` characters, as soon as there are any; empty at the end."""


@dataclass
class Pace:
    """How long a reader has to wait. `level` is what it has read ahead of its pace at the moment `at`, in seconds."""

    at: float
    level: float = 0.0

    def wait_s(self, characters: int, now: float) -> float:
        """After so many more, read at `now`."""
        self.level = max(0.0, self.level - A_SECOND * (now - self.at)) + characters
        self.at = now
        return max(0.0, (self.level - AT_ONCE) / A_SECOND)


async def lines(output: Output, sleep: Callable[[float], Awaitable[None]] = asyncio.sleep) -> AsyncGenerator[str]:
    """Without their ends, which may be line feeds or, of a progress bar, carriage returns."""
    clock = asyncio.get_running_loop().time
    pace, rest = Pace(clock()), ""
    while piece := await output.read(_PIECE):
        *whole, rest = _LINE_ENDS.split(rest + piece)
        for line in whole:
            yield line[:LONGEST_LINE]
        rest = rest[:LONGEST_LINE]
        wait_s = pace.wait_s(max(len(piece), _SHORTEST * len(whole)), clock())
        if wait_s:
            await sleep(wait_s)
    if rest:
        yield rest
