"""Tells a stream that was rolled back from the one that was read, even if it has grown past the reader since.

The server of a stream may be restored from an older copy. New events then get the numbers of those that were lost, but
other times: the server gives each message the moment at which it was stored, in nanoseconds. So a reader keeps that
moment beside the number, and compares both before it goes on.
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from nats.aio.client import Client
from nats.aio.msg import Msg

from shared.bus.reader import ReadingInterrupted, StreamState
from shared.journal.direct_get import DirectGetFailed, direct_get
from shared.journal.streams import EVERY_EVENT

_NS: Final = 10**9
_STORED_AT: Final = "Nats-Time-Stamp"
_SEQUENCE: Final = "Nats-Sequence"
_TOKENS: Final = 9
_SEQUENCE_TOKEN: Final = 5
_ADDED_TOKENS: Final = 2
"""A domain and an account stand before the stream's name in the longer form of these subjects."""


@dataclass(frozen=True)
class Mark:
    """An event that was read: its sequence, and when the stream stored it, in nanoseconds since 1970."""

    sequence: int
    stored_ns: int


def mark_of(message: Msg) -> Mark:
    """The mark of a message that a consumer delivered. nats-py's own timestamp is rounded to microseconds.

    The subject of its acknowledgement has both: https://github.com/nats-io/nats-architecture-and-design, ADR-15.
    """
    tokens = message.reply.split(".")
    first = _SEQUENCE_TOKEN if len(tokens) == _TOKENS else _SEQUENCE_TOKEN + _ADDED_TOKENS
    return Mark(int(tokens[first]), int(tokens[first + 2]))


async def mark_at(connection: Client, sequence: int) -> Mark | None:
    """The mark of the event at this sequence; None if the stream has none there. Raises ReadingInterrupted."""
    found = await _get(connection, {"seq": sequence}) if sequence else None
    return Mark(sequence, _stored_ns(found)) if found else None


async def is_of_stream(connection: Client, mark: Mark | None) -> bool:
    """Whether the event that was read is part of the stream's present history. No mark proves nothing against it.

    A compaction may have purged the event. Then whatever was stored after it must stand behind it, too: events that
    took the place of lost ones were stored later than those. Raises ReadingInterrupted.
    """
    if mark is None:
        return True
    found = await _get(connection, {"seq": mark.sequence})
    if found is not None:
        return _stored_ns(found) == mark.stored_ns
    later = await _get(connection, {"start_time": _text(mark.stored_ns + 1), "next_by_subj": EVERY_EVENT})
    return later is None or int((later.headers or {})[_SEQUENCE]) > mark.sequence


async def goes_on(connection: Client, stream: StreamState, sequence: int, mark: Mark | None) -> bool:
    """Whether the stream, in this state, has everything that was read of it up to `sequence`.

    Raises ReadingInterrupted.
    """
    return sequence <= stream.last_sequence and await is_of_stream(connection, mark)


async def _get(connection: Client, request: dict[str, object]) -> Msg | None:
    try:
        return await direct_get(connection, request)
    except DirectGetFailed as error:
        raise ReadingInterrupted(str(error)) from error


def _stored_ns(message: Msg) -> int:
    """Python's datetime has no nanoseconds. RFC 3339, in UTC; the server leaves out zeros at the end."""
    seconds, _, fraction = (message.headers or {})[_STORED_AT].removesuffix("Z").partition(".")
    whole = int(datetime.fromisoformat(seconds).replace(tzinfo=UTC).timestamp())
    return whole * _NS + int(fraction.ljust(9, "0"))


def _text(stored_ns: int) -> str:
    seconds, fraction = divmod(stored_ns, _NS)
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}.{fraction:09d}Z"
