"""The process's only reader of the stream. It feeds everything that follows events."""

import asyncio
import math
import time
from collections.abc import AsyncGenerator, Callable, Generator, Sequence
from contextlib import AbstractAsyncContextManager, contextmanager
from datetime import datetime
from typing import Final, NoReturn, assert_never
from uuid import UUID

import structlog
from nats.aio.client import Client
from nats.aio.msg import Msg

from services.api.feed.followers import DeploymentFollower, Follower
from services.api.feed.published import Interest, Published, Subscription
from services.api.feed.standing import Standing
from services.api.feed.stream_place import StreamPlace
from shared.bus.marks import Mark, goes_on, is_of_stream, mark_of
from shared.bus.reader import ReadingInterrupted, StreamReader, position_before, reading, stream_state
from shared.deployments.deployment import Deployment
from shared.journal.envelope import Undecodable, decode_any
from shared.journal.recorded import AnyRecorded, Recorded, RecordedDeployment, UnknownDeploymentEvent, UnknownEvent
from shared.journal.streams import EVERY_EVENT, events_of
from shared.lifecycle.instance import Instance
from shared.retry import retried_for_ever

_PAUSE_S: Final = 0.25
_REPLAYS_AT_ONCE: Final = 32

log = structlog.get_logger()


class Feed:
    """Keeps `position`, the last sequence read from the stream of `installation`, and the mark of an event up to there.

    Passes each instance and deployment to its followers, and each event to the subscriptions. If the stream turns out
    to be another one, or was rolled back, the followers forget everything. `resumed` is called when reading continues
    after an interruption. The feed is stale after `stale_after_s` without word from the stream.
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
        self._deployment_followers: list[DeploymentFollower] = []
        self._subscriptions: set[Subscription] = set()
        self._replays = asyncio.Semaphore(_REPLAYS_AT_ONCE)
        self._closed = False
        self._replaced = False
        self.position = 0
        self._mark: Mark | None = None

    @property
    def epoch(self) -> str:
        """Distinguishes positions in this installation's stream from those in another's."""
        return self.installation.hex[:8] if self.installation else ""

    @property
    def place(self) -> StreamPlace:
        """What was read."""
        return StreamPlace(self.epoch, self.position, self._mark)

    async def place_of(self, standing: Standing) -> StreamPlace:
        """Where a client resumes that knows this much; none of another stream, or of a rolled back one, counts."""
        if not await self.has(standing):
            return StreamPlace(self.epoch, 0)
        return StreamPlace(self.epoch, standing.sequence, standing.mark)

    async def has(self, standing: Standing) -> bool:
        """Whether the stream has what the read model is made of, which may lag behind a stream that was replaced."""
        if standing.installation != self.installation:
            return False
        if self._replaced:
            try:
                stream = await stream_state(self._connection)
                gone = not await goes_on(self._connection, stream, standing.sequence, standing.mark)
            except ReadingInterrupted:
                return False
            self._replaced = gone
        return not self._replaced

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

    def follow_deployments(self, follower: DeploymentFollower) -> None:
        """Add a follower. Call this before `begin`."""
        self._deployment_followers.append(follower)

    def begin(self, standing: Standing) -> None:
        """Call this before the first run."""
        self.installation, self.position, self._mark = standing.installation, standing.sequence, standing.mark
        self._replace(standing.instances, standing.deployments)

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
        subject = events_of(interest.of) if interest.of else EVERY_EVENT
        async with self._replays, self._reading(after, subject) as events:
            while not events.caught_up:
                for message in await events.batch():
                    published = _published(message, mark_of(message))
                    if published is not None and interest.covers(published.recorded.after):
                        yield published

    async def issued(self, place: StreamPlace) -> bool:
        """Whether the stream has this place; this may not have read up to there yet. Raises ReadingInterrupted."""
        if place.epoch != self.epoch:
            return False
        if place.sequence > self.position and place.sequence > (await stream_state(self._connection)).last_sequence:
            return False
        return place.mark == self._mark or await is_of_stream(self._connection, place.mark)

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
        same = stream.installation == self.installation
        if same and await goes_on(self._connection, stream, self.position, self._mark):
            return
        log.error(
            "stream was replaced or rolled back; reading it from the start",
            former=f"{self.installation}:{self.position}",
            current=f"{stream.installation}:{stream.last_sequence}",
        )
        self.installation, self.position, self._mark = stream.installation, 0, None
        self._caught_up_at, self._replaced = -math.inf, True
        self._replace((), ())
        for subscription in self._subscriptions:
            subscription.close()

    def _replace(self, instances: Sequence[Instance], deployments: Sequence[Deployment]) -> None:
        for follower in self._followers:
            follower.replace(instances)
        for of_deployments in self._deployment_followers:
            of_deployments.replace(deployments)

    def _apply(self, recorded: AnyRecorded) -> None:
        match recorded:
            case Recorded() | UnknownEvent():
                for follower in self._followers:
                    follower.apply(recorded.instance)
            case RecordedDeployment() | UnknownDeploymentEvent():
                for of_deployments in self._deployment_followers:
                    of_deployments.apply(recorded.deployment)
            case _:
                assert_never(recorded)

    def _take(self, message: Msg) -> None:
        self._mark = mark_of(message)
        self.position = self._mark.sequence
        published = _published(message, self._mark)
        if published is not None:
            self._apply(published.recorded)
            for subscription in self._subscriptions:
                subscription.offer(published)


def _published(message: Msg, mark: Mark) -> Published | None:
    """None for a message that this version cannot read."""
    try:
        return Published(decode_any(message.data, mark.sequence, message.metadata.timestamp), message.data, mark)
    except Undecodable as error:
        log.warning("unreadable event", subject=message.subject, sequence=mark.sequence, reason=str(error))
        return None
