"""Dead letters: messages that could not be handled, stored with reason and origin, and counted. They block nothing.

A person replays them once the cause is fixed.
"""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

import structlog
from nats.aio.msg import Msg
from nats.js import JetStreamContext
from nats.js.errors import NotFoundError
from prometheus_client import Counter

from shared.bus.topology import DEAD_LETTERS, replay_subject

_EVERY: Final = "dead_letters.>"
_REASON: Final = "Coldstart-Reason"
_ORIGIN: Final = "Coldstart-Origin"
_SUBJECT: Final = "Coldstart-Subject"

log = structlog.get_logger()
_dead: Final = Counter("coldstart_dead_letters_total", "Messages put aside as not understood", ["consumer"])


@dataclass(frozen=True)
class DeadLetter:
    """`number` is its number among the letters; `origin` the stream and sequence of the original message."""

    number: int
    consumer: str
    reason: str
    origin: str
    subject: str
    at: datetime
    data: bytes

    @property
    def sequence(self) -> int:
        """The sequence of the original message in its stream."""
        return int(self.origin.rpartition(":")[2])


def sequence_of(message: Msg) -> int:
    """The sequence in the stream where it was recorded, also during a replay."""
    origin = (message.headers or {}).get(_ORIGIN)
    return int(origin.rpartition(":")[2]) if origin else message.metadata.sequence.stream


async def hold_again(
    jetstream: JetStreamContext, consumer: str, data: bytes, *, origin: str, subject: str, key: str
) -> None:
    """Have a message held once more, by the consumer's twin beside the journal; the same `key` within two minutes once.

    `origin` and `subject`: where it was recorded, as in a DeadLetter.
    """
    headers = {"Nats-Msg-Id": key, _ORIGIN: origin, _SUBJECT: subject}
    await jetstream.publish(replay_subject(consumer), data, headers=headers)


class DeadLetters:
    def __init__(self, jetstream: JetStreamContext) -> None:
        self._jetstream = jetstream

    async def put(self, message: Msg, consumer: str, reason: str) -> None:
        """Store `message` under `dead_letters.<consumer>`; acknowledge it only after this returned."""
        metadata = message.metadata
        place = f"{metadata.stream}:{metadata.sequence.stream}"
        before = message.headers or {}  # of a letter whose replay failed
        origin, subject = before.get(_ORIGIN, place), before.get(_SUBJECT, message.subject)
        await self._jetstream.publish(
            f"dead_letters.{consumer}",
            message.data,
            headers={
                "Nats-Msg-Id": f"{consumer}:{place}",
                _REASON: reason.replace("\r", " ").replace("\n", " "),
                _ORIGIN: origin,
                _SUBJECT: subject,
            },
        )
        _dead.labels(consumer).inc()
        log.error("dead letter", consumer=consumer, subject=subject, origin=origin, reason=reason)

    async def __aiter__(self) -> AsyncIterator[DeadLetter]:
        """All letters, oldest first."""
        number = 0
        while True:
            try:
                found = await self._jetstream.get_msg(DEAD_LETTERS, seq=number + 1, subject=_EVERY, next=True)
            except NotFoundError:
                return
            number, headers = found.seq or 0, found.headers or {}
            yield DeadLetter(
                number=number,
                consumer=(found.subject or "").partition(".")[2],
                reason=headers.get(_REASON, ""),
                origin=headers.get(_ORIGIN, ""),
                subject=headers.get(_SUBJECT, ""),
                at=found.time or datetime.now(UTC),
                data=found.data or b"",
            )

    async def replay(self, letter: DeadLetter) -> None:
        """Replay it: its consumer holds it like any trigger. The letter is deleted once the stream has it for that."""
        place, key = {"origin": letter.origin, "subject": letter.subject}, f"letter:{letter.number}"
        await hold_again(self._jetstream, letter.consumer, letter.data, **place, key=key)
        await self.remove(letter)

    async def remove(self, letter: DeadLetter) -> None:
        await self._jetstream.delete_msg(DEAD_LETTERS, letter.number)
