"""One reader of the stream per process; everything here that lives on events is fed by it."""

import asyncio
import math
import time
from collections.abc import AsyncGenerator, Callable, Generator
from contextlib import AbstractAsyncContextManager, contextmanager
from dataclasses import dataclass
from typing import Final
from uuid import UUID

import structlog
from nats.aio.client import Client
from nats.aio.msg import Msg

from shared.bus.envelope import Recorded, Undecodable, decode
from shared.bus.reader import Reading, ReadingInterrupted, reading, stream_state
from shared.bus.topology import EVERY_EVENT, instance_subject
from shared.lifecycle.instance import Instance

_PAUSE_S: Final = 0.25
_REPLAYS_AT_ONCE: Final = 32

log = structlog.get_logger()


@dataclass(frozen=True)
class Published:
    """An event as the stream holds it: `data` is its CloudEvents JSON, byte for byte."""

    recorded: Recorded
    data: bytes


class Subscription:
    """What one client has not yet been sent. A client too far behind is cut off, and resumes where it was."""

    def __init__(self, instance_id: UUID | None, max_backlog: int) -> None:
        self.instance_id = instance_id
        self._backlog: asyncio.Queue[Published | None] = asyncio.Queue(max_backlog + 1)
        self._max_backlog = max_backlog
        self._closed = False

    def offer(self, published: Published) -> None:
        if self._closed or self.instance_id not in (None, published.recorded.instance.id):
            return
        if self._backlog.qsize() >= self._max_backlog:
            self.close()
        else:
            self._backlog.put_nowait(published)

    def close(self) -> None:
        """End it behind what is already waiting."""
        if not self._closed:
            self._closed = True
            self._backlog.put_nowait(None)

    @property
    def idle(self) -> bool:
        """Nothing waits to be sent."""
        return self._backlog.empty()

    async def next(self) -> Published | None:
        """The next event; None when it is closed."""
        return await self._backlog.get()


class Feed:
    """Keeps `position`, the last sequence read; hands each instance to `apply`, each event to the subscriptions.

    `forget` is called when the stream turned out to be another one, and everything begins anew.
    """

    def __init__(
        self,
        connection: Client,
        *,
        apply: Callable[[Instance], None],
        forget: Callable[[], None],
        heartbeat_s: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._connection = connection
        self._apply = apply
        self._forget = forget
        self._heartbeat_s = heartbeat_s
        self._clock = clock
        self._installation: UUID | None = None
        self._caught_up_at = -math.inf
        self._subscriptions: set[Subscription] = set()
        self._replays = asyncio.Semaphore(_REPLAYS_AT_ONCE)
        self._closed = False
        self.position = 0

    @property
    def epoch(self) -> str:
        """Tells the positions of one installation's stream from those of another."""
        return self._installation.hex[:8] if self._installation else ""

    @property
    def age(self) -> float:
        """Seconds since this was last known to have read everything; infinite before the first time."""
        return self._clock() - self._caught_up_at

    @property
    def clients(self) -> int:
        return len(self._subscriptions)

    def begin(self, installation: UUID, position: int) -> None:
        """What was applied already, before the first run."""
        self._installation, self.position = installation, position

    async def run(self) -> None:
        """Read for ever; after every interruption go on behind the last position. The owner cancels it."""
        while True:
            try:
                await self._check_identity()
                async with self._reading(self.position, EVERY_EVENT) as events:
                    while True:
                        if events.caught_up:
                            self._caught_up_at = self._clock()
                        for message in await events.batch():
                            self._take(message)
            except ReadingInterrupted as interruption:
                log.warning("event feed interrupted", position=self.position, reason=str(interruption))
                await asyncio.sleep(_PAUSE_S)

    @contextmanager
    def subscription(self, instance_id: UUID | None, max_backlog: int) -> Generator[Subscription]:
        """From now on, that is behind `position`, every event (of one instance, if given)."""
        subscription = Subscription(instance_id, max_backlog)
        self._subscriptions.add(subscription)
        if self._closed:
            subscription.close()
        try:
            yield subscription
        finally:
            self._subscriptions.discard(subscription)

    async def replay(self, after: int, instance_id: UUID | None) -> AsyncGenerator[Published]:
        """What the stream holds behind `after`, up to now. Raises ReadingInterrupted."""
        subject = instance_subject(instance_id) if instance_id else EVERY_EVENT
        async with self._replays, self._reading(after, subject) as events:
            while not events.caught_up:
                for message in await events.batch():
                    published = _published(message)
                    if published is not None:
                        yield published

    async def end(self) -> int:
        """The last sequence of the stream itself, which this may not have read yet. Raises ReadingInterrupted."""
        return (await stream_state(self._connection)).last_sequence

    def close(self) -> None:
        """Let every client go."""
        self._closed = True
        for subscription in self._subscriptions:
            subscription.close()

    def _reading(self, after: int, subject: str) -> AbstractAsyncContextManager[Reading]:
        return reading(self._connection, after=after, subject=subject, heartbeat_s=self._heartbeat_s)

    async def _check_identity(self) -> None:
        stream = await stream_state(self._connection)
        if stream.installation == self._installation and stream.last_sequence >= self.position:
            return
        was, now = self._installation, stream.installation
        log.error("the stream is another one; beginning anew", was=str(was), now=str(now))
        self._installation, self.position, self._caught_up_at = now, 0, -math.inf
        self._forget()
        for subscription in self._subscriptions:
            subscription.close()

    def _take(self, message: Msg) -> None:
        published = _published(message)
        self.position = message.metadata.sequence.stream
        if published is not None:
            self._apply(published.recorded.instance)
            for subscription in self._subscriptions:
                subscription.offer(published)


def _published(message: Msg) -> Published | None:
    """None for what this version cannot read; the projector keeps it among the dead letters."""
    sequence = message.metadata.sequence.stream
    try:
        return Published(decode(message.data, sequence, message.metadata.timestamp), message.data)
    except Undecodable as error:
        log.warning("event not understood", subject=message.subject, sequence=sequence, reason=str(error))
        return None
