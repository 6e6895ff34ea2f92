"""The process's only reader of the stream. It feeds everything that follows events."""

import asyncio
import json
import math
import time
from collections.abc import AsyncGenerator, Callable, Generator, Iterable, Sequence
from contextlib import AbstractAsyncContextManager, contextmanager
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Final, NoReturn, Protocol
from uuid import UUID

import structlog
from nats.aio.client import Client
from nats.aio.msg import Msg

from shared.bus.reader import ReadingInterrupted, StreamReader, position_before, reading, stream_state
from shared.description import Description
from shared.journal.envelope import Recorded, Undecodable, decode
from shared.journal.streams import EVERY_EVENT, instance_subject
from shared.lifecycle.instance import Instance
from shared.retry import retried_for_ever

_PAUSE_S: Final = 0.25
_REPLAYS_AT_ONCE: Final = 32

log = structlog.get_logger()


@dataclass(frozen=True)
class Published:
    """An event from the stream: `data` is its CloudEvents JSON, byte for byte."""

    recorded: Recorded
    data: bytes

    @cached_property
    def described(self) -> bytes:
        """`data` with `data.description`: the instance after the event, as it was when it happened."""
        body = json.loads(self.data)
        description = Description.of(self.recorded.instance, self.recorded.instance.updated_at)
        body["data"]["description"] = description.model_dump(mode="json")
        return json.dumps(body).encode()


@dataclass(frozen=True)
class Interest:
    """The organisation and the instance whose events a client gets; None: any, or all."""

    organization_id: UUID | None = None
    instance_id: UUID | None = None

    def covers(self, instance: Instance) -> bool:
        its = instance.specification.organization_id
        return self.organization_id in (None, its) and self.instance_id in (None, instance.id)


class Subscription:
    """Events that one client has not been sent yet. A client that is too far behind is disconnected, and resumes."""

    def __init__(self, interest: Interest, max_backlog: int) -> None:
        self._interest = interest
        self._backlog: asyncio.Queue[Published | None] = asyncio.Queue(max_backlog + 1)
        self._max_backlog = max_backlog
        self._closed = False

    def offer(self, published: Published) -> None:
        if self._closed or not self._interest.covers(published.recorded.instance):
            return
        if self._backlog.qsize() >= self._max_backlog:
            self.close()
        else:
            self._backlog.put_nowait(published)

    def close(self) -> None:
        """End it after what is already waiting."""
        if not self._closed:
            self._closed = True
            self._backlog.put_nowait(None)

    @property
    def idle(self) -> bool:
        """Nothing waits to be sent."""
        return self._backlog.empty()

    async def next(self) -> Published | None:
        """The next event; None if it is closed."""
        return await self._backlog.get()


class Follower(Protocol):
    """Something that follows events: it knows each instance as of its last event."""

    def apply(self, instance: Instance) -> object:
        """Take over the instance from an event."""

    def replace(self, instances: Iterable[Instance]) -> None:
        """Forget everything and start with these."""


class Feed:
    """Keeps `position`, the last sequence read from the stream of `installation`.

    Passes each instance to its followers and each event to the subscriptions. If the stream turns out to be another
    one, the followers forget everything. `resumed` is called when reading continues after an interruption. The feed is
    stale after `stale_after_s` without word from the stream.
    """

    def __init__(
        self,
        connection: Client,
        *,
        resumed: Callable[[], None],
        heartbeat_s: float,
        stale_after_s: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._connection = connection
        self._resumed = resumed
        self._heartbeat_s = heartbeat_s
        self._stale_after_s = stale_after_s
        self._clock = clock
        self.installation: UUID | None = None
        self._caught_up_at = -math.inf
        self._followers: list[Follower] = []
        self._subscriptions: set[Subscription] = set()
        self._replays = asyncio.Semaphore(_REPLAYS_AT_ONCE)
        self._closed = False
        self.position = 0

    @property
    def epoch(self) -> str:
        """Distinguishes positions in this installation's stream from those in another's."""
        return self.installation.hex[:8] if self.installation else ""

    def event_id(self, installation: UUID | None, sequence: int) -> str:
        """The id after which a client resumes that knows this much of that stream; none of another stream counts."""
        return f"{self.epoch}-{sequence if installation == self.installation else 0}"

    @property
    def age(self) -> float:
        """Seconds since this had certainly read everything; infinite before the first time."""
        return self._clock() - self._caught_up_at

    @property
    def clients(self) -> int:
        return len(self._subscriptions)

    def is_stale(self) -> bool:
        return self.age > self._stale_after_s

    def follow(self, follower: Follower) -> None:
        """Add a follower. Call this before `begin`."""
        self._followers.append(follower)

    def begin(self, installation: UUID, position: int, instances: Iterable[Instance]) -> None:
        """Call this before the first run, with the instances as of that position in that stream."""
        self.installation, self.position = installation, position
        self._replace(list(instances))

    async def run(self) -> NoReturn:
        """Read for ever; after every interruption continue after the last position. The owner cancels it."""
        interrupted = False

        async def read() -> NoReturn:
            nonlocal interrupted
            await self._check_identity()
            async with self._reading(self.position, EVERY_EVENT) as events:
                if interrupted:
                    interrupted = False
                    self._resumed()
                while True:
                    if events.caught_up:
                        self._caught_up_at = self._clock()
                    for message in await events.batch():
                        self._take(message)

        def failed(interruption: BaseException, _: float) -> None:
            nonlocal interrupted
            interrupted = True
            log.warning("event feed interrupted", position=self.position, reason=str(interruption))

        await retried_for_ever(read, ReadingInterrupted, pause_s=_PAUSE_S, failed=failed)

    @contextmanager
    def subscription(self, interest: Interest, max_backlog: int) -> Generator[Subscription]:
        """Every event of this interest after `position`."""
        subscription = Subscription(interest, max_backlog)
        self._subscriptions.add(subscription)
        if self._closed:
            subscription.close()
        try:
            yield subscription
        finally:
            self._subscriptions.discard(subscription)

    async def replay(self, after: int, interest: Interest) -> AsyncGenerator[Published]:
        """The stored events of this interest after `after`, up to now. Raises ReadingInterrupted."""
        subject = instance_subject(interest.instance_id) if interest.instance_id else EVERY_EVENT
        async with self._replays, self._reading(after, subject) as events:
            while not events.caught_up:
                for message in await events.batch():
                    published = _published(message)
                    if published is not None and interest.covers(published.recorded.instance):
                        yield published

    async def end(self) -> int:
        """The stream's own last sequence, which this may not have read yet. Raises ReadingInterrupted."""
        return (await stream_state(self._connection)).last_sequence

    async def before(self, at: datetime) -> int | None:
        """The position after which all was recorded at `at` or later; None if nothing was. Raises like `replay`."""
        return await position_before(self._connection, at)

    def close(self) -> None:
        """End all subscriptions."""
        self._closed = True
        for subscription in self._subscriptions:
            subscription.close()

    def _reading(self, after: int, subject: str) -> AbstractAsyncContextManager[StreamReader]:
        return reading(self._connection, after=after, subject=subject, heartbeat_s=self._heartbeat_s)

    async def _check_identity(self) -> None:
        stream = await stream_state(self._connection)
        if stream.installation == self.installation and stream.last_sequence >= self.position:
            return
        former, current = self.installation, stream.installation
        log.error("stream was replaced; reading it from the start", former=str(former), current=str(current))
        self.installation, self.position, self._caught_up_at = current, 0, -math.inf
        self._replace(())
        for subscription in self._subscriptions:
            subscription.close()

    def _replace(self, instances: Sequence[Instance]) -> None:
        for follower in self._followers:
            follower.replace(instances)

    def _take(self, message: Msg) -> None:
        published = _published(message)
        self.position = message.metadata.sequence.stream
        if published is not None:
            for follower in self._followers:
                follower.apply(published.recorded.instance)
            for subscription in self._subscriptions:
                subscription.offer(published)


def _published(message: Msg) -> Published | None:
    """None for a message that this version cannot read; the projector makes it a dead letter."""
    sequence = message.metadata.sequence.stream
    try:
        return Published(decode(message.data, sequence, message.metadata.timestamp), message.data)
    except Undecodable as error:
        log.warning("unreadable event", subject=message.subject, sequence=sequence, reason=str(error))
        return None
