"""Which instances have, or had, a server on record: learned from the stream, a few messages at a time."""

from typing import Final
from uuid import UUID

from nats.js import JetStreamContext
from nats.js.api import AckPolicy, ConsumerConfig, DeliverPolicy

from shared.bus.topology import LIFECYCLE
from shared.lifecycle.events import InstanceCreated

_BATCH: Final = 500
_FETCH_TIMEOUT_S: Final = 5.0
_FORGOTTEN_AFTER_S: Final = 30.0


class KnownInstances:
    """Ids of all that are not forgotten; each reading goes on where the one before stopped."""

    def __init__(self, jetstream: JetStreamContext) -> None:
        self._jetstream = jetstream
        self._ids: set[UUID] = set()
        self._read_up_to = 0

    async def ids(self) -> list[UUID]:
        """Raises nats errors and TimeoutError."""
        subscription = await self._jetstream.pull_subscribe(
            f"lifecycle.*.{InstanceCreated.__name__}",
            stream=LIFECYCLE,
            config=ConsumerConfig(
                deliver_policy=DeliverPolicy.BY_START_SEQUENCE,
                opt_start_seq=self._read_up_to + 1,
                ack_policy=AckPolicy.NONE,
                headers_only=True,
                mem_storage=True,
                num_replicas=1,
                inactive_threshold=_FORGOTTEN_AFTER_S,
            ),
        )
        try:
            waiting = (await subscription.consumer_info()).num_pending or 0
            while waiting > 0:
                messages = await subscription.fetch(min(waiting, _BATCH), timeout=_FETCH_TIMEOUT_S)
                for message in messages:
                    self._ids.add(UUID(message.subject.split(".")[1]))
                    self._read_up_to = message.metadata.sequence.stream
                waiting -= len(messages)
        finally:
            await subscription.unsubscribe()
        return list(self._ids)

    def forget(self, instance_id: UUID) -> None:
        """Nothing can be lost of it any more."""
        self._ids.discard(instance_id)
