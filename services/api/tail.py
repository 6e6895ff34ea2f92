"""The stream from a position on, in order and without a gap: what the routing table and every SSE client are fed by.

A pull consumer of its own that the server forgets by itself. Its heartbeats prove that nothing is missing.
"""

import asyncio
import json
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import uuid4

from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.errors import Error as NatsError
from nats.js.api import AckPolicy, ConsumerConfig, DeliverPolicy
from nats.js.errors import Error as JetStreamError

from shared.bus.topology import LIFECYCLE

BATCH: Final = 500
PATIENCE: Final = 3.0
"""In heartbeats: a longer silence means that the consumer or the connection is gone."""
_NANOSECONDS: Final = 1_000_000_000
_REQUEST_S: Final = 30.0
_FORGOTTEN_AFTER_S: Final = 60.0
_ANSWER_TIMEOUT_S: Final = 2.0
_HEARTBEAT: Final = "100"
_EXPIRED: Final = "408"

TRANSPORT: Final = (NatsError, JetStreamError, TimeoutError, OSError)


class TailBroken(Exception):
    """The consumer, its connection or a message was lost; begin again after the last position that was read."""


@dataclass(frozen=True)
class Entry:
    """A message of the stream; `pending` is how many were behind it when the server sent it."""

    sequence: int
    subject: str
    data: bytes
    recorded_at: datetime
    pending: int


async def tail(connection: Client, *, after: int, subject: str, heartbeat_s: float) -> AsyncGenerator[Entry | None]:
    """Every message under `subject` behind position `after`, for ever; None whenever there is nothing more by now.

    Raises TailBroken.
    """
    try:
        jetstream = connection.jetstream(timeout=_ANSWER_TIMEOUT_S)
        consumer = await jetstream.add_consumer(
            LIFECYCLE,
            ConsumerConfig(
                name=f"api-{uuid4().hex}",
                deliver_policy=DeliverPolicy.BY_START_SEQUENCE,
                opt_start_seq=after + 1,
                ack_policy=AckPolicy.NONE,
                filter_subject=subject,
                inactive_threshold=_FORGOTTEN_AFTER_S,
                mem_storage=True,
                num_replicas=1,
            ),
        )
        inbox = connection.new_inbox()
        arrived: asyncio.Queue[Msg] = asyncio.Queue()  # never more than one batch
        subscription = await connection.subscribe(inbox, cb=arrived.put)
    except TRANSPORT as error:
        raise TailBroken(repr(error)) from error
    try:
        if not consumer.num_pending:
            yield None
        expected, wanted = 1, 0
        while True:
            if wanted == 0:
                await _ask(connection, consumer.name, inbox, heartbeat_s)
                wanted = BATCH
            async with asyncio.timeout(PATIENCE * heartbeat_s):
                message = await arrived.get()
            headers = message.headers or {}
            if message.subject != inbox:
                entry, number = _entry(message)
                if number != expected:
                    raise TailBroken(f"message {expected} of the consumer never came")
                expected, wanted = expected + 1, wanted - 1
                yield entry
            elif headers.get("Status") == _HEARTBEAT:
                yield None
            elif headers.get("Status") == _EXPIRED:
                wanted = 0
            else:
                raise TailBroken(f"{headers.get('Status')} {headers.get('Description', '')}".strip())
    except TRANSPORT as error:
        raise TailBroken(repr(error)) from error
    finally:
        await _forget(connection, consumer.name)
        if not connection.is_closed:
            await subscription.unsubscribe()


async def _ask(connection: Client, consumer: str, inbox: str, heartbeat_s: float) -> None:
    request = {
        "batch": BATCH,
        "expires": int(max(_REQUEST_S, 3 * heartbeat_s) * _NANOSECONDS),
        "idle_heartbeat": int(heartbeat_s * _NANOSECONDS),
    }
    await connection.publish(
        f"$JS.API.CONSUMER.MSG.NEXT.{LIFECYCLE}.{consumer}", json.dumps(request).encode(), reply=inbox
    )


def _entry(message: Msg) -> tuple[Entry, int]:
    metadata = message.metadata
    entry = Entry(
        metadata.sequence.stream, message.subject, message.data, metadata.timestamp, metadata.num_pending or 0
    )
    return entry, metadata.sequence.consumer


async def _forget(connection: Client, consumer: str) -> None:
    """Spare the server a minute of keeping it; when this does not arrive, it forgets the consumer by itself."""
    if connection.is_connected:
        await connection.publish(f"$JS.API.CONSUMER.DELETE.{LIFECYCLE}.{consumer}")
