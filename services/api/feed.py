"""One reader of the stream per process; everything here that lives on events is fed by it."""

import asyncio
import math
import time
from collections.abc import AsyncGenerator, Callable, Generator
from contextlib import aclosing, contextmanager
from dataclasses import dataclass
from typing import Final
from uuid import UUID

import structlog
from nats.aio.client import Client

from services.api.tail import TRANSPORT, Entry, TailBroken, tail
from shared.bus.envelope import Recorded, Undecodable, decode
from shared.bus.topology import EVERY_EVENT, INSTALLATION, LIFECYCLE, instance_subject
from shared.lifecycle.instance import Instance

_ANSWER_TIMEOUT_S: Final = 2.0
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
                async with aclosing(
                    tail(self._connection, after=self.position, subject=EVERY_EVENT, heartbeat_s=self._heartbeat_s)
                ) as entries:
                    async for entry in entries:
                        self._take(entry)
            except TailBroken as broken:
                log.warning("event feed interrupted", position=self.position, reason=str(broken))
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
        """What the stream holds behind `after`, up to now. Raises TailBroken."""
        subject = instance_subject(instance_id) if instance_id else EVERY_EVENT
        async with (
            self._replays,
            aclosing(tail(self._connection, after=after, subject=subject, heartbeat_s=self._heartbeat_s)) as entries,
        ):
            async for entry in entries:
                if entry is None:
                    return
                published = _published(entry)
                if published is not None:
                    yield published
                if not entry.pending:
                    return

    async def end(self) -> int:
        """The last sequence of the stream itself, which this may not have read yet. Raises TailBroken."""
        return (await self._stream())[1]

    def close(self) -> None:
        """Let every client go."""
        self._closed = True
        for subscription in self._subscriptions:
            subscription.close()

    async def _stream(self) -> tuple[UUID, int]:
        try:
            info = await self._connection.jetstream(timeout=_ANSWER_TIMEOUT_S).stream_info(LIFECYCLE)
            installation = UUID((info.config.metadata or {})[INSTALLATION])
        except (*TRANSPORT, KeyError, ValueError) as error:  # not there, or made by hand
            raise TailBroken(repr(error)) from error
        return installation, info.state.last_seq

    async def _check_identity(self) -> None:
        installation, last = await self._stream()
        if installation == self._installation and last >= self.position:
            return
        log.error("the stream is another one; beginning anew", was=str(self._installation), now=str(installation))
        self._installation, self.position, self._caught_up_at = installation, 0, -math.inf
        self._forget()
        for subscription in self._subscriptions:
            subscription.close()

    def _take(self, entry: Entry | None) -> None:
        if entry is not None:
            published = _published(entry)
            self.position = entry.sequence
            if published is not None:
                self._apply(published.recorded.instance)
                for subscription in self._subscriptions:
                    subscription.offer(published)
        if entry is None or not entry.pending:
            self._caught_up_at = self._clock()


def _published(entry: Entry) -> Published | None:
    """None for what this version cannot read; the projector keeps it among the dead letters."""
    try:
        return Published(decode(entry.data, entry.sequence, entry.recorded_at), entry.data)
    except Undecodable as error:
        log.warning("event not understood", subject=entry.subject, sequence=entry.sequence, reason=str(error))
        return None
