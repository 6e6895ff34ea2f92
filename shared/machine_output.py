"""The output of a command on a machine, line by line: bounded in length and pace, however much the machine sends.

A machine that was taken over may print for ever, as fast as the network allows. Reading slowly does not help: asyncssh
opens its window again before the data was read, so it would pile up in memory. So reading ends instead.
"""

import asyncio
import re
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from typing import Final, Protocol

LONGEST_LINE: Final = 4096
"""In characters; the rest of a line is dropped."""
AT_ONCE: Final = 8 * 1024 * 1024
A_SECOND: Final = 64 * 1024
"""Characters that may come at once, and in each further second: far more than any install or model load prints."""
WINDOW: Final = 64 * 1024
"""Bytes that a machine may send before they are read; for asyncssh, whose default window is two megabytes."""
_SHORTEST: Final = 256
"""The least number of characters that a line or piece counts for, since handling it costs as much."""
_PIECE: Final = 16 * 1024
_LINE_ENDS: Final = re.compile(r"\r\n|\n|\r")


class Flood(Exception):
    """The machine prints more than any of our commands does."""

    def __init__(self) -> None:
        super().__init__(f"it printed more than {AT_ONCE >> 20} MB, and more than {A_SECOND >> 10} kB a second")


class OutputStream(Protocol):
    async def read(self, n: int = -1) -> str:
        """At most `n` characters, as soon as there are any; empty at the end."""


@dataclass
class Pace:
    """`level`: characters by which the output is ahead of the pace at the moment `at` (seconds)."""

    at: float
    level: float = 0.0

    def allows(self, characters: int, now: float) -> bool:
        """Whether this many more characters may come at `now`."""
        self.level = max(0.0, self.level - A_SECOND * (now - self.at)) + characters
        self.at = now
        return self.level <= AT_ONCE


async def lines(output: OutputStream) -> AsyncGenerator[str]:
    """Lines without their ends, which are line feeds or, for a progress bar, carriage returns. Raises Flood."""
    clock = asyncio.get_running_loop().time
    pace, rest = Pace(clock()), ""
    while piece := await output.read(_PIECE):
        *whole, rest = _LINE_ENDS.split(rest + piece)
        if not pace.allows(max(len(piece), _SHORTEST * max(1, len(whole))), clock()):
            raise Flood
        for line in whole:
            yield line[:LONGEST_LINE]
        rest = rest[:LONGEST_LINE]
    if rest:
        yield rest
