"""A wait under a lease that may be cut short."""

import asyncio

from shared.bus.lease import Lease


class Pause:
    """Of one holder, which waits at one place at a time."""

    def __init__(self, lease: Lease) -> None:
        self._lease = lease
        self._cut = False
        self._waiting: asyncio.Timeout | None = None

    def cut_short(self) -> None:
        """End the wait now; if there is none, the next one takes no time."""
        self._cut = True
        if self._waiting is not None and not self._waiting.expired():
            self._waiting.reschedule(asyncio.get_running_loop().time())

    async def wait(self, seconds: float) -> bool:
        """Whether all of it passed. Raises LeaseLost."""
        try:
            async with asyncio.timeout(0.0 if self._cut else None) as self._waiting:
                await self._lease.sleep(seconds)
        except TimeoutError:
            self._lease.check()
        finally:
            self._waiting = None
            cut, self._cut = self._cut, False
        return not cut
