"""A held message is a lease: kept alive while its holder works, given back at once, lost without a word.

A lease is liveness, never exclusion: two holders can overlap, so whatever is done under it is safe when done twice.
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
"""Of the ack wait: whoever could not confirm an extension for longer does nothing more to the world."""

log = structlog.get_logger()


class LeaseLost(Exception):
    """Another replica may hold the message now; stop without touching anything."""


class Holdable(Protocol):
    """The part of a JetStream message that a lease needs."""

    async def in_progress(self) -> None: ...
    async def nak(self, delay: float | None = None) -> None: ...


@dataclass(eq=False)
class Lease:
    """What one delivery knows of its hold.

    `confirmed_at`: when the server last surely knew that somebody works on this, by the holder's clock;
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
        """Before every call that changes the world and every publish of an inference. Raises LeaseLost."""
        if self.lost:
            raise LeaseLost

    async def sleep(self, seconds: float) -> None:
        """Wait, but not past the lease. Raises LeaseLost."""
        try:
            async with asyncio.timeout(seconds):
                await self._surrendered.wait()
        except TimeoutError:
            pass
        self.check()

    async def surrender(self) -> None:
        """Give the message back at once; the holder stops at its next check."""
        self._surrendered.set()
        try:
            await self.message.nak()
        except (NatsError, OSError) as error:  # acknowledged a moment ago, or cut off: then the ack wait gives it back
            log.info("lease not given back", reason=repr(error))


class Leases:
    """All leases of one process; one task extends them together and confirms that with one round trip.

    `flush` returns when the server has read everything sent before, and may be given up: `connection.round_trip`.
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
        """Keep `message` from redelivery until the block ends. Raises LeaseLost when it cannot even begin."""
        lease = Lease(message, redelivered, self._ack_wait_s * FENCE, self._clock, confirmed_at=self._clock())
        if self._closing:
            await lease.surrender()
            raise LeaseLost
        if not await self._extend([lease]):
            raise LeaseLost
        if self._closing:  # since it was asked above
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
        """Give every lease back at once and let the holders finish what they are in the middle of, for a while."""
        self._closing = True
        for lease in list(self._leases):
            await lease.surrender()
        try:
            async with asyncio.timeout(grace_s):
                await self._idle.wait()
        except TimeoutError:
            log.warning("holders did not stop in time", leases=len(self._leases))

    async def keep_alive(self) -> None:
        """Runs as long as the process may hold anything; the owner cancels it."""
        while True:
            await asyncio.sleep(self._ack_wait_s / EXTENSIONS_PER_ACK_WAIT)
            await self._extend([lease for lease in self._leases if not lease.lost])

    async def _extend(self, leases: list[Lease]) -> bool:
        """Whether the server confirmed. When it did not, the fence is what it leads to."""
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
