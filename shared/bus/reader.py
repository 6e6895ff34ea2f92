"""The lifecycle stream from a position on, in order and without a gap.

One consumer that the server forgets by itself, one pull request at a time. Whatever may have been missed ends the
reading, and whoever reads begins again behind what is certain: there is no second truth about how far it got.
"""

import asyncio
import json
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
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
"""How many messages one request asks for: what bounds memory while whoever reads is slow."""
HEARTBEATS: Final = 2
LATENESS_S: Final = 1.0
"""A silence longer than that many heartbeats and this means that the consumer or the connection is gone."""
_REQUEST_S: Final = 30.0
_FORGOTTEN_AFTER_S: Final = 60.0
_HEARTBEAT: Final = "100"
_EXPIRED: Final = "408"
_LAST_DELIVERED: Final = "Nats-Last-Consumer"

TRANSPORT: Final = (NatsError, OSError)  # TimeoutError is an OSError, and JetStream's errors are NATS's


class ReadingInterrupted(Exception):
    """The stream, the consumer, the connection or a message was lost; the message says which."""


@dataclass(frozen=True)
class StreamState:
    """Whose stream it is, and the sequence of its last event."""

    installation: UUID
    last_sequence: int


async def stream_state(connection: Client) -> StreamState:
    """As the stream's leader says. Raises ReadingInterrupted."""
    try:
        info = await connection.jetstream(timeout=ANSWER_TIMEOUT_S).stream_info(LIFECYCLE)
    except TRANSPORT as error:
        raise ReadingInterrupted(repr(error)) from error
    installation = installation_of(info.config)
    if installation is None:  # made by hand, or overwritten
        raise ReadingInterrupted(f"the stream {LIFECYCLE} does not say which installation it belongs to")
    return StreamState(installation, info.state.last_seq)


async def position_before(connection: Client, at: datetime) -> int | None:
    """The sequence behind which everything was recorded at `at` or later; None where nothing was yet.

    By the stream's own clock. Raises ReadingInterrupted.
    """
    try:
        found = await direct_get(connection, {"start_time": at.isoformat(), "next_by_subj": EVERY_EVENT})
    except DirectGetFailed as error:
        raise ReadingInterrupted(str(error)) from error
    return int((found.headers or {})["Nats-Sequence"]) - 1 if found else None


class Reading:
    """For one task. `caught_up`: the stream held nothing more behind what was read, when it last said something."""

    def __init__(self, connection: Client, inbox: str, consumer: ConsumerInfo, heartbeat_s: float) -> None:
        self._connection = connection
        self._inbox = inbox
        self._consumer = consumer.name
        self._heartbeat_s = heartbeat_s
        self._arrived: asyncio.Queue[Msg] = asyncio.Queue()  # never more than one request's
        self._outstanding = 0
        self._delivered = 0
        self.caught_up = not consumer.num_pending

    async def arrive(self, message: Msg) -> None:
        """What the server sends to the inbox: the consumer's messages, and its statuses."""
        self._arrived.put_nowait(message)

    async def batch(self) -> list[Msg]:
        """All that has arrived since; empty when the stream only gave a sign of life. Raises ReadingInterrupted."""
        try:
            if self._outstanding == 0:
                await self._ask()
            async with asyncio.timeout(HEARTBEATS * self._heartbeat_s + LATENESS_S):
                arrived = [await self._arrived.get()]
        except TimeoutError:
            raise ReadingInterrupted("the stream has fallen silent") from None
        except TRANSPORT as error:
            raise ReadingInterrupted(repr(error)) from error
        while not self._arrived.empty():
            arrived.append(self._arrived.get_nowait())
        return [message for message in arrived if self._is_event(message)]

    def _is_event(self, message: Msg) -> bool:
        if message.subject == self._inbox:
            self._heed(message.headers or {})
            return False
        self._delivered += 1
        self._outstanding -= 1
        self._check(message.metadata.sequence.consumer)
        self.caught_up = not message.metadata.num_pending
        return True

    def _heed(self, status: dict[str, str]) -> None:
        match status.get("Status"):
            case code if code == _HEARTBEAT:
                self._check(int(status[_LAST_DELIVERED]))
                self.caught_up = True
            case code if code == _EXPIRED:
                self._outstanding = 0
            case code:
                raise ReadingInterrupted(f"{code} {status.get('Description', '')}".strip())

    def _check(self, delivered: int) -> None:
        """A request outlives a short reconnect; what was sent to the old connection does not."""
        if delivered != self._delivered:
            raise ReadingInterrupted(f"of the consumer's messages {self._delivered} came, and {delivered} were sent")

    async def _ask(self) -> None:
        request = {
            "batch": BATCH,
            "expires": int(max(_REQUEST_S, 3 * self._heartbeat_s) * 1e9),
            "idle_heartbeat": int(self._heartbeat_s * 1e9),
        }
        subject = f"$JS.API.CONSUMER.MSG.NEXT.{LIFECYCLE}.{self._consumer}"
        await self._connection.publish(subject, json.dumps(request).encode(), reply=self._inbox)
        self._outstanding = BATCH


@asynccontextmanager
async def reading(
    connection: Client, *, after: int, heartbeat_s: float, subject: str = EVERY_EVENT, headers_only: bool = False
) -> AsyncGenerator[Reading]:
    """Read every event under `subject` behind the sequence `after`. Raises ReadingInterrupted."""
    inbox = connection.new_inbox()
    try:
        consumer = await _consumer(connection, after, subject, headers_only)
        events = Reading(connection, inbox, consumer, heartbeat_s)
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
    """Spare the server a minute of keeping the consumer; when this does not arrive, it forgets it by itself."""
    if not connection.is_closed:
        await subscription.unsubscribe()
    if connection.is_connected:
        await connection.publish(f"$JS.API.CONSUMER.DELETE.{LIFECYCLE}.{consumer}")
