"""Overlaps decoding and storing: PostgreSQL works on one batch while we decode the next."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import asynccontextmanager, suppress

from nats.aio.msg import Msg

from services.progress.projection import Batch, Projection


def _ignore(_: Batch) -> None:
    pass


class Pipeline:
    """Stores a batch while the next one is decoded. Made by `pipelined`."""

    def __init__(self, projection: Projection, stored: Callable[[Batch], None] = _ignore) -> None:
        """`stored` is called with each batch that was stored."""
        self._projection = projection
        self._stored = stored
        self._storing: asyncio.Task[None] | None = None

    async def take(self, messages: Sequence[Msg]) -> None:
        """Begin to store these. Raises what storing the former ones raises.

        Raises WrittenByNewer at a message that only a newer version reads; those before it are stored.
        """
        batch = await self._projection.read(messages)
        await self.stored()
        if batch.messages:
            self._storing = asyncio.create_task(self._store(batch))
        if batch.before is not None:
            await self.stored()
            raise batch.before

    async def _store(self, batch: Batch) -> None:
        await self._projection.store(batch)
        self._stored(batch)

    async def stored(self) -> None:
        """Wait until everything is stored that was taken. Raises what storing it raises."""
        if self._storing is not None:
            await self._storing
            self._storing = None

    @property
    def idle(self) -> bool:
        """Nothing is being stored: `stored` does not wait."""
        return self._storing is None or self._storing.done()

    async def abandon(self) -> None:
        if self._storing is not None:
            self._storing.cancel()
            with suppress(asyncio.CancelledError, Exception):  # it is over, whatever came of it
                await self._storing


@asynccontextmanager
async def pipelined(projection: Projection, stored: Callable[[Batch], None] = _ignore) -> AsyncGenerator[Pipeline]:
    """At the end of the block, what is being stored is abandoned; wait for `Pipeline.stored` before.

    `stored` is called with each batch that was stored.
    """
    pipeline = Pipeline(projection, stored)
    try:
        yield pipeline
    finally:
        await pipeline.abandon()
