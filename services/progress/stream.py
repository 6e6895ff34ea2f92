"""The events of the stream from any point on, as they come.

One ephemeral pull consumer, one request at a time. Whatever may have been missed ends the reading, and whoever reads
begins again after what is committed: no second truth about how far it got.
"""

import asyncio
import json
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.js import JetStreamContext
from nats.js.api import AckPolicy, ConsumerConfig, DeliverPolicy
from nats.js.errors import NotFoundError

from shared.bus.topology import EVERY_EVENT, INSTALLATION, LIFECYCLE

BATCH: Final = 1000
"""How many messages one request asks for: what bounds memory while the database is slow."""
_REQUEST_S: Final = 30.0
_IDLE_HEARTBEAT: Final = "100"
_REQUEST_EXPIRED: Final = "408"


class ReadingInterrupted(Exception):
    """The consumer is gone, silent, or lost a message; the message says which."""


@dataclass(frozen=True)
class StreamState:
    """Whose stream it is, and the sequence of its last event."""

    installation: UUID
    last_sequence: int


async def stream_state(jetstream: JetStreamContext) -> StreamState:
    info = await jetstream.stream_info(LIFECYCLE)
    return StreamState(UUID((info.config.metadata or {})[INSTALLATION]), info.state.last_seq)


async def exists_between(jetstream: JetStreamContext, after: int, last: int) -> bool:
    """Whether the stream's leader has an event after the one sequence, up to the other."""
    try:
        message = await jetstream.get_msg(LIFECYCLE, seq=after + 1, subject=EVERY_EVENT, next=True)
    except NotFoundError:
        return False
    return (message.seq or 0) <= last


class Reading:
    """For one task. `inbox` is where the consumer's messages and its statuses arrive."""

    def __init__(self, connection: Client, inbox: str, consumer: str, heartbeat_s: float) -> None:
        self._connection = connection
        self._inbox = inbox
        self._consumer = consumer
        self._heartbeat_s = heartbeat_s
        self._arrived: asyncio.Queue[Msg] = asyncio.Queue()
        self._outstanding = 0
        self._delivered = 0

    async def arrive(self, message: Msg) -> None:
        self._arrived.put_nowait(message)

    async def batch(self) -> list[Msg]:
        """All that has arrived meanwhile; empty when the stream said that it is there and has nothing.

        Raises ReadingInterrupted.
        """
        if self._outstanding == 0:
            await self._ask()
        try:
            async with asyncio.timeout(2 * self._heartbeat_s + 1):
                arrived = [await self._arrived.get()]
        except TimeoutError:
            raise ReadingInterrupted("the stream has fallen silent") from None
        while not self._arrived.empty():
            arrived.append(self._arrived.get_nowait())
        return [message for message in arrived if self._is_event(message)]

    def _is_event(self, message: Msg) -> bool:
        if message.subject == self._inbox:
            self._heed(message.headers or {})
            return False
        self._delivered += 1
        self._outstanding -= 1
        if message.metadata.sequence.consumer != self._delivered:
            raise ReadingInterrupted(f"message {self._delivered} of the consumer was lost")
        return True

    def _heed(self, status: dict[str, str]) -> None:
        match status.get("Status"):
            case code if code == _IDLE_HEARTBEAT:
                return
            case code if code == _REQUEST_EXPIRED:
                self._outstanding = 0
            case code:
                raise ReadingInterrupted(f"{code} {status.get('Description', '')}".strip())

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
async def reading(connection: Client, *, after: int, heartbeat_s: float) -> AsyncGenerator[Reading]:
    """Read every event after that sequence, in order."""
    info = await connection.jetstream().add_consumer(
        LIFECYCLE,
        ConsumerConfig(
            deliver_policy=DeliverPolicy.BY_START_SEQUENCE,
            opt_start_seq=after + 1,
            ack_policy=AckPolicy.NONE,
            mem_storage=True,
            num_replicas=1,
            inactive_threshold=_REQUEST_S,
        ),
    )
    inbox = connection.new_inbox()
    events = Reading(connection, inbox, info.name, heartbeat_s)
    subscription = await connection.subscribe(inbox, cb=events.arrive)
    try:
        yield events
    finally:
        if not connection.is_closed:
            await subscription.unsubscribe()
