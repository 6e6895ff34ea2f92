"""Snapshots of JetStream's streams, and restoring them: sequences, times and headers stay as they were.

Consumers are left out: their state would be later than the messages, and work that was acknowledged in between would be
lost. The next start makes them anew, and every event is delivered once more; what was done is not done again.

The protocol: https://github.com/nats-io/nats-architecture-and-design, ADR-22 and ADR-2.
"""

import asyncio
import json
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Final

from nats.aio.client import Client
from nats.aio.msg import Msg

from coldstart.backup.errors import NotRestored

_ANSWER_S: Final = 60.0
_CHUNK_BYTES: Final = 256 * 1024
_NEXT_CHUNK_S: Final = 60.0
_LOADED_S: Final = 600.0
"""How long the server may take to load what it was sent."""
_NO_STREAM: Final = 10059


class SnapshotFailed(Exception):
    """The server ended it; the message says why."""


@dataclass(frozen=True)
class Snapshot:
    """`config` and `state` are JetStream's; `chunks` are to be sent back as they come."""

    config: Mapping[str, Any]
    state: Mapping[str, Any]
    chunks: AsyncIterator[bytes]


@asynccontextmanager
async def snapshot(connection: Client, stream: str) -> AsyncGenerator[Snapshot | None]:
    """The stream as it is now, while writing goes on; None if there is no such stream. Raises SnapshotFailed."""
    arrived: asyncio.Queue[Msg] = asyncio.Queue()
    inbox = connection.new_inbox()
    subscription = await connection.subscribe(inbox, cb=arrived.put)
    try:
        request = {"deliver_subject": inbox, "chunk_size": _CHUNK_BYTES, "no_consumers": True}
        answer = await _asked(connection, f"$JS.API.STREAM.SNAPSHOT.{stream}", request)
        error = answer.get("error")
        if error and error.get("err_code") == _NO_STREAM:
            yield None
            return
        if error:
            raise SnapshotFailed(f"the stream {stream} cannot be read: {error.get('description')}")
        yield Snapshot(answer["config"], answer["state"], _chunks(connection, stream, arrived))
    finally:
        await subscription.unsubscribe()


async def _chunks(connection: Client, stream: str, arrived: asyncio.Queue[Msg]) -> AsyncIterator[bytes]:
    while True:
        try:
            async with asyncio.timeout(_NEXT_CHUNK_S):
                message = await arrived.get()
        except TimeoutError:
            raise SnapshotFailed(f"the server sends no more of the stream {stream}") from None
        if not message.data:
            status = (message.headers or {}).get("Status", "")
            if status.startswith(("4", "5")):
                raise SnapshotFailed(f"the stream {stream} was not sent to its end: {message.headers}")
            return
        yield message.data
        if message.reply:  # the server sends no more than it knows to be taken
            await connection.publish(message.reply)


async def restore_stream(
    connection: Client, config: Mapping[str, Any], state: Mapping[str, Any], chunks: AsyncIterator[bytes]
) -> None:
    """Create the stream with this configuration from a snapshot. Raises NotRestored."""
    stream = config["name"]
    answer = await _asked(connection, f"$JS.API.STREAM.RESTORE.{stream}", {"config": config, "state": state})
    _raise_if_refused(stream, answer)
    async for chunk in chunks:
        taken = await connection.request(answer["deliver_subject"], chunk, timeout=_NEXT_CHUNK_S)
        _raise_if_refused(stream, json.loads(taken.data or b"{}"))
    done = await connection.request(answer["deliver_subject"], b"", timeout=_LOADED_S)
    loaded = json.loads(done.data)
    _raise_if_refused(stream, loaded)
    if loaded["state"]["last_seq"] < state["last_seq"]:
        raise NotRestored(f"of the stream {stream}, NATS has only loaded {loaded['state']['last_seq']} messages.")


def _raise_if_refused(stream: str, answer: Mapping[str, Any]) -> None:
    if error := answer.get("error"):
        raise NotRestored(f"NATS does not restore the stream {stream}: {error.get('description')}.")


async def _asked(connection: Client, subject: str, request: Mapping[str, Any]) -> dict[str, Any]:
    answer = await connection.request(subject, json.dumps(request).encode(), timeout=_ANSWER_S)
    return dict(json.loads(answer.data))
