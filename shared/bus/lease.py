"""A held message is a lease: extended while its holder works, returned at once on a stop, lost without a notice.

A lease shows that its holder is alive. It does not exclude others: two holders can overlap, so everything done under
it must be safe when done twice.
"""

import asyncio
import time
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Final, Protocol

import structlog
from nats.errors import Error as NatsError

EXTENSIONS_PER_ACK_WAIT: Final = 4
FENCE: Final = 2 / 3
"""Part of the ack wait. A holder that could not confirm an extension for longer changes nothing more in the world."""

log = structlog.get_logger()


class LeaseLost(Exception):
    """Another replica may hold the message now. Stop without touching anything."""


class Holdable(Protocol):
    """The parts of a JetStream message that a lease needs."""

    async def in_progress(self) -> None: ...
    async def nak(self, delay: float | None = None) -> None: ...


@dataclass(eq=False)
class Lease:
    """The lease of one delivery.

    `confirmed_at`: when the server last certainly knew that somebody works on this, by the holder's clock;
    `redelivered`: somebody may have begun this work before.
    """

    message: Holdable
    redelivered: bool
    fence_s: float
    clock: Callable[[], float]
    confirmed_at: float
    _surrendered: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def surrendered(self) -> bool:
        return self._surrendered.is_set()

    @property
    def lost(self) -> bool:
        return self.surrendered or self.clock() - self.confirmed_at > self.fence_s

    def check(self) -> None:
        """Call this before every change of the world and every publish of a conclusion. Raises LeaseLost."""
        if self.lost:
            raise LeaseLost

    async def sleep(self, seconds: float) -> None:
        """Wait, but not longer than the lease. Raises LeaseLost."""
        try:
            async with asyncio.timeout(seconds):
                await self._surrendered.wait()
        except TimeoutError:
            pass
        self.check()

    async def surrender(self) -> None:
        """Return the message at once; the holder stops at its next check."""
        self._surrendered.set()
        try:
            await self.message.nak()
        except (
            NatsError,
            OSError,
        ) as error:  # acknowledged just now, or disconnected: then the ack wait returns it
            log.info("lease not returned", reason=repr(error))


class Leases:
    """All leases of one process. One task extends them together and confirms that with one round trip.

    `flush` returns when the server has read everything sent before, and may be abandoned: `connection.round_trip`.
    """

    def __init__(
        self, flush: Callable[[], Awaitable[None]], ack_wait_s: float, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._flush = flush
        self._ack_wait_s = ack_wait_s
        self._clock = clock
        self._leases: set[Lease] = set()
        self._closing = False
        self._idle = asyncio.Event()
        self._idle.set()

    def __len__(self) -> int:
        return len(self._leases)

    @asynccontextmanager
    async def held(self, message: Holdable, *, redelivered: bool) -> AsyncGenerator[Lease]:
        """Keep `message` from redelivery until the block ends. Raises LeaseLost if it cannot even begin."""
        lease = Lease(message, redelivered, self._ack_wait_s * FENCE, self._clock, confirmed_at=self._clock())
        if self._closing:
            await lease.surrender()
            raise LeaseLost
        if not await self._extend([lease]):
            raise LeaseLost
        if self._closing:  # it may have changed since the check above
            await lease.surrender()
            raise LeaseLost
        self._leases.add(lease)
        self._idle.clear()
        try:
            yield lease
        finally:
            self._leases.discard(lease)
            if not self._leases:
                self._idle.set()

    async def close(self, grace_s: float) -> None:
        """Return every lease at once, and let the holders finish their current call, for at most `grace_s`."""
        self._closing = True
        for lease in list(self._leases):
            await lease.surrender()
        try:
            async with asyncio.timeout(grace_s):
                await self._idle.wait()
        except TimeoutError:
            log.warning("lease holders did not stop in time", leases=len(self._leases))

    async def keep_alive(self) -> None:
        """Runs as long as the process may hold leases; the owner cancels it."""
        while True:
            await asyncio.sleep(self._ack_wait_s / EXTENSIONS_PER_ACK_WAIT)
            await self._extend([lease for lease in self._leases if not lease.lost])

    async def _extend(self, leases: list[Lease]) -> bool:
        """Whether the server confirmed. If it keeps failing, the fence stops the holders."""
        if not leases:
            return True
        began = self._clock()
        try:
            async with asyncio.timeout(self._ack_wait_s / EXTENSIONS_PER_ACK_WAIT):
                for lease in leases:
                    await lease.message.in_progress()
                await self._flush()
        except (NatsError, TimeoutError, OSError) as error:
            log.warning("leases not extended", leases=len(leases), reason=repr(error))
            return False
        for lease in leases:
            lease.confirmed_at = began
        return True
