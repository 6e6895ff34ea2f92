"""A machine that takes its time as a real one does: the rates of its scenario, on a clock of its own."""

import asyncio
import math
import time
from collections.abc import Callable, Collection
from typing import Final, Protocol

from simulator.host.transfers import Transfer, Transfers
from simulator.rates import Rates

NETWORK: Final = "network"
REGISTRY: Final = "registry"
HUB: Final = "hub"
APT: Final = "apt"
DISK_WRITE: Final = "disk_write"
DISK_READ: Final = "disk_read"
_MEGABYTE: Final = 10**6
_LOOK_SECONDS: Final = 1.0


class Clock(Protocol):
    def now(self) -> float:
        """Seconds since some moment."""

    async def wait(self, seconds: float, sooner: asyncio.Event) -> None:
        """Return after so many seconds, or once `sooner` is set."""


class ScaledClock:
    """On it `scale` seconds pass in each real one."""

    def __init__(self, scale: float) -> None:
        self._scale = scale

    def now(self) -> float:
        return time.monotonic() * self._scale

    async def wait(self, seconds: float, sooner: asyncio.Event) -> None:
        try:
            async with asyncio.timeout(seconds / self._scale):
                await sooner.wait()
        except TimeoutError:
            pass


class MachineModel:
    """Everything that takes time on one machine between two boots."""

    def __init__(self, rates: Rates, clock: Clock | None = None) -> None:
        self.rates = rates
        self._clock = clock or ScaledClock(rates.time_scale)
        self._changed = asyncio.Event()
        self._driver_asked = False
        self._transfers = Transfers(
            {
                NETWORK: rates.network * _MEGABYTE,
                REGISTRY: rates.registry * _MEGABYTE,
                HUB: rates.hub * _MEGABYTE,
                APT: rates.apt * _MEGABYTE,
                DISK_WRITE: rates.disk_write * _MEGABYTE,
                DISK_READ: rates.disk_read * _MEGABYTE,
            }
        )

    async def sleep(self, seconds: float) -> None:
        await self._clock.wait(seconds, asyncio.Event())

    async def driver(self) -> None:
        """Wait as NVIDIA's driver has the first one who asks it wait."""
        if not self._driver_asked:
            self._driver_asked = True
            await self.sleep(self.rates.driver_seconds)

    async def move(
        self,
        size: float,
        links: Collection[str],
        most: float | None = None,
        report: Callable[[float], None] = lambda _: None,
    ) -> None:
        """Move so many bytes, at `most` megabytes per second.

        `report` is told the bytes moved by now: whenever shares change, once a second, and at the end.
        """
        transfer = Transfer(size, frozenset(links), math.inf if most is None else most * _MEGABYTE)
        self._transfers.begin(self._clock.now(), transfer)
        self._shared_anew()
        try:
            while not transfer.over:
                await self._clock.wait(min(transfer.seconds_left, _LOOK_SECONDS), self._changed)
                self._transfers.advance(self._clock.now())
                report(transfer.moved)
        finally:
            self._transfers.end(self._clock.now(), transfer)
            self._shared_anew()

    def _shared_anew(self) -> None:
        """Wake everybody who waits for the end of a transfer, which may come sooner or later now."""
        self._changed.set()
        self._changed = asyncio.Event()
