"""When a worker's load is how far: by its plan, or as the simulator tells it through standard input."""

import asyncio
import os
import sys
import time
from typing import Final

from .plan import Plan

_KILLED: Final = 137
_MISSED: Final = 1e-6
"""Shares are told with six digits."""


class Pace:
    """Ends this process when standard input does: its other end is the simulator's, which has died then."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._told = -1.0
        self._more = asyncio.Event()
        self._unread = b""
        asyncio.get_running_loop().add_reader(sys.stdin.fileno(), self._read)

    async def reached(self, share: float) -> None:
        """Return once so much of the load is done, from 0 (the first line) to 1."""
        if self._plan.load_seconds is not None:
            moment = self._plan.first_line_at + share * self._plan.load_seconds
            await asyncio.sleep(max(0.0, moment - time.time()))
            return
        while self._told < share - _MISSED:
            self._more.clear()
            await self._more.wait()

    def _read(self) -> None:
        read = os.read(sys.stdin.fileno(), 4096)
        if not read:
            os._exit(_KILLED)
        *lines, self._unread = (self._unread + read).split(b"\n")
        if lines:
            self._told = float(lines[-1])
            self._more.set()
