"""Which instances' work is held, and by anybody at all: holders tell it when they are asked, over core NATS.

JetStream tells how many messages are held, and not which. An answer is the 16 bytes of each instance's UUID, one behind
the other; a holder of many sends several.
"""

import asyncio
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Final
from uuid import UUID

from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.errors import Error as NatsError

ANSWERS_S: Final = 2.0
_SUBJECT: Final = "requests.held"
_BYTES: Final = 16
_IN_A_MESSAGE: Final = 50_000
"""NATS takes at most 1 MB."""
_NOBODY: Final = "503"


def subject(durable: str) -> str:
    """On which the holders of this durable consumer are asked."""
    return f"{_SUBJECT}.{durable}"


@dataclass(frozen=True)
class Held:
    """What this process holds of one durable consumer and of its replays."""

    durable: str
    _times: Counter[UUID] = field(default_factory=Counter)

    @contextmanager
    def holding(self, instance_id: UUID) -> Iterator[None]:
        self._times[instance_id] += 1
        try:
            yield
        finally:
            self._times[instance_id] -= 1
            if not self._times[instance_id]:
                del self._times[instance_id]

    async def answer(self, question: Msg) -> None:
        ids = [instance_id.bytes for instance_id in self._times]
        for start in range(0, max(len(ids), 1), _IN_A_MESSAGE):
            with suppress(NatsError):  # disconnected just now
                await question.respond(b"".join(ids[start : start + _IN_A_MESSAGE]))


async def held_by_anybody(connection: Client, durable: str, *, within_s: float = ANSWERS_S) -> frozenset[UUID] | None:
    """The instances that any holder names within this time; None if there is no holder. Raises what NATS raises."""
    told: set[UUID] | None = None
    answers = await connection.subscribe(connection.new_inbox())
    try:
        await connection.publish(subject(durable), b"", reply=answers.subject)
        with suppress(TimeoutError):
            async with asyncio.timeout(within_s):
                async for answer in answers.messages:
                    if (answer.headers or {}).get("Status") == _NOBODY:
                        return None
                    starts = range(0, len(answer.data), _BYTES)
                    told = (told or set()) | {UUID(bytes=answer.data[at : at + _BYTES]) for at in starts}
    finally:
        with suppress(NatsError):
            await answers.unsubscribe()
    return None if told is None else frozenset(told)
