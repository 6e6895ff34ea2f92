"""Reads the lifecycle stream from a position on, in order and without a gap.

It uses one ephemeral consumer and one pull request at a time. If an event may have been missed, the reading ends, and
the caller starts again after the last event that it has: only the caller keeps the position.
"""

import asyncio
import json
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID, uuid4

from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.aio.subscription import Subscription
from nats.errors import Error as NatsError
from nats.js.api import AckPolicy, ConsumerConfig, ConsumerInfo, DeliverPolicy

from shared.bus.installation import installation_of
from shared.journal.direct_get import ANSWER_TIMEOUT_S, DirectGetFailed, direct_get
from shared.journal.streams import EVERY_EVENT, LIFECYCLE

BATCH: Final = 1000
"""Messages per request, unless the caller wants others. It bounds memory while the caller is slow."""
HEARTBEATS: Final = 2
LATENESS_S: Final = 1.0
"""Beyond the missed heartbeats: a longer silence means that the consumer or the connection is gone."""
_SHARES: Final = 4
"""The silence is waited for in so many parts, since a stall of our own event loop ends one of them at most."""
_REQUEST_S: Final = 30.0
_FORGOTTEN_AFTER_S: Final = 60.0
_HEARTBEAT: Final = "100"
_EXPIRED: Final = "408"
_LAST_DELIVERED: Final = "Nats-Last-Consumer"

TRANSPORT: Final = (NatsError, OSError)  # TimeoutError is an OSError, and JetStream's errors are NATS's


class ReadingInterrupted(Exception):
    """The stream, the consumer, the connection or a message was lost; the text says which."""


@dataclass(frozen=True)
class StreamState:
    """The stream's installation, and the sequence of its last event."""

    installation: UUID
    last_sequence: int


async def stream_state(connection: Client) -> StreamState:
    """The state as the stream's leader reports it. Raises ReadingInterrupted."""
    try:
        info = await connection.jetstream(timeout=ANSWER_TIMEOUT_S).stream_info(LIFECYCLE)
    except TRANSPORT as error:
        raise ReadingInterrupted(repr(error)) from error
    installation = installation_of(info.config)
    if installation is None:  # created by hand, or overwritten
        raise ReadingInterrupted(f"the stream {LIFECYCLE} does not say which installation it belongs to")
    return StreamState(installation, info.state.last_seq)


async def position_before(connection: Client, at: datetime) -> int | None:
    """The sequence after which every event was recorded at `at` or later; None if there is none yet.

    By the stream's own clock. Raises ReadingInterrupted.
    """
    try:
        found = await direct_get(connection, {"start_time": at.isoformat(), "next_by_subj": EVERY_EVENT})
    except DirectGetFailed as error:
        raise ReadingInterrupted(str(error)) from error
    return int((found.headers or {})["Nats-Sequence"]) - 1 if found else None


class StreamReader:
    """For one task. `caught_up`: at its last message, the stream had no further events."""

    def __init__(
        self, connection: Client, inbox: str, consumer: ConsumerInfo, heartbeat_s: float, at_once: int = BATCH
    ) -> None:
        self._connection = connection
        self._inbox = inbox
        self._consumer = consumer.name
        self._heartbeat_s = heartbeat_s
        self._at_once = at_once
        self._arrived: asyncio.Queue[Msg] = asyncio.Queue()  # at most the messages of one request
        self._outstanding = 0
        self._delivered = 0
        self.caught_up = not consumer.num_pending

    async def arrive(self, message: Msg) -> None:
        """Called with everything that the server sends to the inbox: messages and statuses of the consumer."""
        self._arrived.put_nowait(message)

    async def batch(self) -> list[Msg]:
        """All messages since the last call; empty after a mere heartbeat. Raises ReadingInterrupted."""
        try:
            if self._outstanding == 0:
                await self._ask()
            arrived = [await self._next()]
        except TimeoutError:
            raise ReadingInterrupted("the stream has fallen silent") from None
        except TRANSPORT as error:
            raise ReadingInterrupted(repr(error)) from error
        while not self._arrived.empty():
            arrived.append(self._arrived.get_nowait())
        return [message for message in arrived if self._is_event(message)]

    async def _next(self) -> Msg:
        """Raises TimeoutError if the server is silent; while our own loop stands still, nothing can arrive."""
        share_s = (HEARTBEATS * self._heartbeat_s + LATENESS_S) / _SHARES
        for _ in range(_SHARES):
            with suppress(TimeoutError):
                async with asyncio.timeout(share_s):
                    return await self._arrived.get()
        raise TimeoutError

    def _is_event(self, message: Msg) -> bool:
        if message.subject == self._inbox:
            self._take_status(message.headers or {})
            return False
        self._delivered += 1
        self._outstanding -= 1
        self._check(message.metadata.sequence.consumer)
        self.caught_up = not message.metadata.num_pending
        return True

    def _take_status(self, status: dict[str, str]) -> None:
        match status.get("Status"):
            case code if code == _HEARTBEAT:
                self._check(int(status[_LAST_DELIVERED]))
                self.caught_up = True
            case code if code == _EXPIRED:
                self._outstanding = 0
            case code:
                raise ReadingInterrupted(f"{code} {status.get('Description', '')}".strip())

    def _check(self, delivered: int) -> None:
        """A request survives a short reconnect; messages sent to the old connection do not."""
        if delivered != self._delivered:
            raise ReadingInterrupted(f"of the consumer's messages {self._delivered} came, and {delivered} were sent")

    async def _ask(self) -> None:
        request = {
            "batch": self._at_once,
            "expires": int(max(_REQUEST_S, 3 * self._heartbeat_s) * 1e9),
            "idle_heartbeat": int(self._heartbeat_s * 1e9),
        }
        subject = f"$JS.API.CONSUMER.MSG.NEXT.{LIFECYCLE}.{self._consumer}"
        await self._connection.publish(subject, json.dumps(request).encode(), reply=self._inbox)
        self._outstanding = self._at_once


@asynccontextmanager
async def reading(
    connection: Client,
    *,
    after: int,
    heartbeat_s: float,
    subject: str = EVERY_EVENT,
    headers_only: bool = False,
    at_once: int = BATCH,
) -> AsyncGenerator[StreamReader]:
    """Read every event under `subject` after the sequence `after`. Raises ReadingInterrupted.

    `at_once`: messages per request. So many may wait for the caller.
    """
    inbox = connection.new_inbox()
    try:
        consumer = await _consumer(connection, after, subject, headers_only)
        events = StreamReader(connection, inbox, consumer, heartbeat_s, at_once)
        subscription = await connection.subscribe(inbox, cb=events.arrive)
    except TRANSPORT as error:
        raise ReadingInterrupted(repr(error)) from error
    try:
        yield events
    finally:
        await _leave(connection, subscription, consumer.name)


async def _consumer(connection: Client, after: int, subject: str, headers_only: bool) -> ConsumerInfo:
    return await connection.jetstream(timeout=ANSWER_TIMEOUT_S).add_consumer(
        LIFECYCLE,
        ConsumerConfig(
            name=f"reader-{uuid4().hex}",
            deliver_policy=DeliverPolicy.BY_START_SEQUENCE,
            opt_start_seq=after + 1,
            ack_policy=AckPolicy.NONE,
            filter_subject=subject,
            headers_only=headers_only,
            inactive_threshold=_FORGOTTEN_AFTER_S,
            mem_storage=True,
            num_replicas=1,
        ),
    )


async def _leave(connection: Client, subscription: Subscription, consumer: str) -> None:
    """Delete the consumer now, so that the server need not keep it for a minute. It also expires without this."""
    if not connection.is_closed:
        await subscription.unsubscribe()
    if connection.is_connected:
        await connection.publish(f"$JS.API.CONSUMER.DELETE.{LIFECYCLE}.{consumer}")
