"""Where a message goes that nobody can handle: kept with its reason and origin, counted, never in the way."""

from typing import Final

import structlog
from nats.aio.msg import Msg
from nats.js import JetStreamContext
from prometheus_client import Counter

log = structlog.get_logger()
_dead: Final = Counter("coldstart_dead_letters_total", "Messages put aside as not understood", ["consumer"])


class DeadLetters:
    def __init__(self, jetstream: JetStreamContext) -> None:
        self._jetstream = jetstream

    async def put(self, message: Msg, consumer: str, reason: str) -> None:
        """Keep `message` under `dead_letters.<consumer>`; the caller acknowledges it only after this returned."""
        metadata = message.metadata
        origin = f"{metadata.stream}:{metadata.sequence.stream}"
        await self._jetstream.publish(
            f"dead_letters.{consumer}",
            message.data,
            headers={
                "Nats-Msg-Id": f"{consumer}:{origin}",
                "Coldstart-Reason": reason.replace("\r", " ").replace("\n", " "),
                "Coldstart-Origin": origin,
                "Coldstart-Subject": message.subject,
            },
        )
        _dead.labels(consumer).inc()
        log.error("dead letter", consumer=consumer, subject=message.subject, origin=origin, reason=reason)
