"""All instances that were ever requested, learned from the stream."""

from contextlib import suppress
from typing import Final
from uuid import UUID

from nats.aio.client import Client

from shared.bus.reader import reading
from shared.lifecycle.events import InstanceRequested

_SUBJECT: Final = f"lifecycle.*.{InstanceRequested.__name__}"
_HEARTBEAT_S: Final = 1.0


class KnownInstances:
    """Ids of all instances that are not forgotten. Each reading continues where the last one stopped."""

    def __init__(self, connection: Client) -> None:
        self._connection = connection
        self._ids: set[UUID] = set()
        self._read_up_to = 0

    async def ids(self) -> list[UUID]:
        """Raises ReadingInterrupted."""
        async with reading(
            self._connection, after=self._read_up_to, subject=_SUBJECT, headers_only=True, heartbeat_s=_HEARTBEAT_S
        ) as events:
            while not events.caught_up:
                for message in await events.batch():
                    self._read_up_to = message.metadata.sequence.stream
                    with suppress(ValueError):  # a foreign message: the journal's subjects have an id there
                        self._ids.add(UUID(message.subject.split(".")[1]))
        return list(self._ids)

    def forget(self, instance_id: UUID) -> None:
        """Forget an instance to which nothing can happen any more."""
        self._ids.discard(instance_id)
