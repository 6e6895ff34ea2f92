"""What a command on a machine prints, line by line: bounded in length and in pace, however much the machine sends.

A machine that was taken over prints without an end and as fast as the network goes. It is not made to wait: whoever
reads slowly keeps what was sent meanwhile, since asyncssh opens its window again before that was read. So reading ends.
"""

import asyncio
import re
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from typing import Final, Protocol

LONGEST_LINE: Final = 4096
"""Characters; what a line has beyond them is dropped."""
AT_ONCE: Final = 8 * 1024 * 1024
A_SECOND: Final = 64 * 1024
"""Characters that may come at once, and in each second after that: far more than any install or load has."""
WINDOW: Final = 64 * 1024
"""Bytes that a machine may send before they are read; to be given to asyncssh, whose own window is of two megabytes."""
_SHORTEST: Final = 256
"""Characters that every line and every piece count for, since their handling costs as much as theirs."""
_PIECE: Final = 16 * 1024
_LINE_ENDS: Final = re.compile(r"\r\n|\n|\r")


class Flood(Exception):
    """The machine prints more than any command of ours does."""

    def __init__(self) -> None:
        super().__init__(f"it printed more than {AT_ONCE >> 20} MB, and more than {A_SECOND >> 10} kB a second")


class Output(Protocol):
    async def read(self, n: int = -1) -> str:
        """At most `n` characters, as soon as there are any; empty at the end."""


@dataclass
class Pace:
    """`level` is how much is ahead of the pace at the moment `at`, in seconds."""

    at: float
    level: float = 0.0

    def allows(self, characters: int, now: float) -> bool:
        """Whether so many more may come at `now`."""
        self.level = max(0.0, self.level - A_SECOND * (now - self.at)) + characters
        self.at = now
        return self.level <= AT_ONCE


async def lines(output: Output) -> AsyncGenerator[str]:
    """Without their ends, which may be line feeds or, of a progress bar, carriage returns. Raises Flood."""
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
