"""Embedded servers are started again where they were: when they end, and when they can write no more."""

import asyncio
import shutil
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Final, NoReturn

import structlog

from coldstart.embedded.errors import EmbeddedServerError, ServerStuckError
from coldstart.embedded.server import EmbeddedServer
from shared.retry import doubled_s

FIRST_PAUSE_S: Final = 0.2
LONGEST_PAUSE_S: Final = 15.0
QUICK_S: Final = 60.0
MOST_QUICK_ENDS: Final = 20
"""Four minutes of tries. After them the stack ends, and says why."""
LOOK_S: Final = 5.0
"""How often a server is asked whether it still writes."""
ROOM: Final = 32_000_000
"""Bytes. With fewer a start may fail for want of space, and a server that was stuck would be so again at once."""

log = structlog.get_logger()


@dataclass(frozen=True)
class QuickEnds:
    """How often in a row the server ended within a minute or did not start.

    Those on a full disk do not count as `hopeless`: they pass when there is room.
    """

    number: int = 0
    hopeless: int = 0

    def another(self, lasted_s: float, free_bytes: int) -> "QuickEnds":
        """After a run of so many seconds, with so much free space at its end."""
        if lasted_s >= QUICK_S:
            return QuickEnds(1, 0)
        return QuickEnds(self.number + 1, self.hopeless + (free_bytes >= ROOM))

    @property
    def pause_s(self) -> float:
        return doubled_s(self.number, FIRST_PAUSE_S, LONGEST_PAUSE_S)


@dataclass(frozen=True)
class Keeper:
    """`most`: after so many quick ends it gives up; None is never. `look_s`: how often it looks at a running server."""

    server: EmbeddedServer
    most: int | None
    look_s: float = LOOK_S
    clock: Callable[[], float] = time.monotonic

    async def run(self) -> NoReturn:
        """Keep a server that runs. The owner cancels this. Raises the last error when it gives up."""
        ends = QuickEnds()
        while True:
            began: float | None = None
            try:
                if ends.number:
                    await self.server.start_again()
                    log.warning("embedded server runs again", server=self.server.name)
                began = self.clock()
                await self._lost()
            except EmbeddedServerError as error:
                lasted_s = 0.0 if began is None else self.clock() - began
                ends = ends.another(lasted_s, self._free_bytes())
                if self.most is not None and ends.hopeless > self.most:
                    raise
                reason, pause_s = str(error), ends.pause_s
                log.warning("embedded server ended", server=self.server.name, reason=reason, start_in_s=pause_s)
            await asyncio.sleep(pause_s)

    async def _lost(self) -> NoReturn:
        """Raises ServerEndedError; ServerStuckError once there is room for a start that helps."""
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(self.look_s):
                    await self.server.ended()
            reason = await self.server.write_error()
            if reason is not None and self._free_bytes() >= ROOM:
                raise ServerStuckError(self.server.name, reason)

    def _free_bytes(self) -> int:
        return shutil.disk_usage(self.server.folder.path).free


@asynccontextmanager
async def kept(server: EmbeddedServer, *, most: int | None = MOST_QUICK_ENDS) -> AsyncIterator[asyncio.Task[NoReturn]]:
    """Start the server, and start it again whenever it ends, while the block runs.

    Yields the task that does so. It fails when it gives up: after more than `most` quick ends in a row. Raises
    EmbeddedServerError if the first start fails. Enter it in the event loop's thread.
    """
    async with server:
        keeping = asyncio.create_task(Keeper(server, most, LOOK_S).run())
        try:
            yield keeping
        finally:
            keeping.cancel()
            with suppress(asyncio.CancelledError, EmbeddedServerError):
                await keeping
