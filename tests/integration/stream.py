"""What the lifecycle stream holds."""

import asyncio
from typing import Final

from nats.aio.client import Client

from shared.bus.reader import reading
from shared.deployments.deployment import Deployment
from shared.journal.envelope import decode_any
from shared.journal.recorded import AnyRecorded
from shared.lifecycle.instance import Instance

HEARTBEAT_S: Final = 1.0
LOOK_S: Final = 0.5


async def every_event(connection: Client) -> list[AnyRecorded]:
    """In order. Raises ReadingInterrupted."""
    found: list[AnyRecorded] = []
    async with reading(connection, after=0, heartbeat_s=HEARTBEAT_S) as events:
        while not events.caught_up:
            for message in await events.batch():
                metadata = message.metadata
                found.append(decode_any(message.data, metadata.sequence.stream, metadata.timestamp))
    return found


async def every_event_once_all_is_over(connection: Client, within_s: float) -> list[AnyRecorded]:
    """Once nothing of any instance or deployment is left, or after so many seconds. Raises ReadingInterrupted."""
    until = asyncio.get_running_loop().time() + within_s
    while True:
        events = await every_event(connection)
        last = {event.after.id: event.after for event in events}
        if all(_is_over(after) for after in last.values()) or asyncio.get_running_loop().time() > until:
            return events
        await asyncio.sleep(LOOK_S)


def _is_over(after: Instance | Deployment) -> bool:
    return after.over if isinstance(after, Deployment) else after.resources.released
