"""All instances that were ever requested, learned from the stream."""

from contextlib import suppress
from typing import Final
from uuid import UUID

import structlog
from nats.aio.client import Client

from shared.bus.marks import Mark, goes_on, mark_of
from shared.bus.reader import reading, stream_state
from shared.lifecycle.events import InstanceRequested

_SUBJECT: Final = f"lifecycle.*.{InstanceRequested.__name__}"
_HEARTBEAT_S: Final = 1.0

log = structlog.get_logger()


class KnownInstances:
    """Ids of all instances that are not forgotten. Each reading continues where the last one stopped.

    If the stream was rolled back since, it begins again, since other events may have the sequences that were read.
    """

    def __init__(self, connection: Client) -> None:
        self._connection = connection
        self._ids: set[UUID] = set()
        self._mark: Mark | None = None

    async def ids(self) -> list[UUID]:
        """Raises ReadingInterrupted."""
        after = await self._read_up_to()
        async with reading(
            self._connection, after=after, subject=_SUBJECT, headers_only=True, heartbeat_s=_HEARTBEAT_S
        ) as events:
            while not events.caught_up:
                for message in await events.batch():
                    self._mark = mark_of(message)
                    with suppress(ValueError):  # a foreign message: the journal's subjects have an id there
                        self._ids.add(UUID(message.subject.split(".")[1]))
        return list(self._ids)

    def forget(self, instance_id: UUID) -> None:
        """Forget an instance to which nothing can happen any more."""
        self._ids.discard(instance_id)

    async def _read_up_to(self) -> int:
        if self._mark is None:
            return 0
        sequence, stream = self._mark.sequence, await stream_state(self._connection)
        if await goes_on(self._connection, stream, sequence, self._mark):
            return sequence
        log.warning(
            "stream was rolled back; reading all instances again", read_up_to=sequence, end=stream.last_sequence
        )
        self._ids.clear()
        self._mark = None
        return 0
