"""What provisioner and health would record of every instance, at once."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Final

from nats.aio.msg import Msg

from shared.journal.envelope import decode_any
from shared.journal.recorded import AnyRecorded, Recorded
from shared.journal.streams import EVERY_EVENT, LIFECYCLE
from shared.lifecycle.events import Event
from tests.lifecycle import facts as f
from tests.scaler.world import PATIENCE_S, World

ENDED: Final = (f.server_deleted(), f.instance_terminated())
FOLLOWING: Final[dict[str, tuple[Event, ...]]] = {
    "InstanceRequested": (f.instance_created(), f.instance_started(), f.instance_ready()),
    "DrainRequested": (f.drained(), *ENDED),
    "TerminationRequested": ENDED,
    "ServerLost": (f.resources_released(),),
}


@dataclass
class AutomaticCloud:
    """`events` are all of the stream, in order."""

    world: World
    events: list[AnyRecorded] = field(default_factory=list)
    _more: asyncio.Condition = field(default_factory=asyncio.Condition)

    async def hear(self, message: Msg) -> None:
        metadata = message.metadata
        recorded = decode_any(message.data, metadata.sequence.stream, metadata.timestamp)
        async with self._more:
            self.events.append(recorded)
            self._more.notify_all()
        if isinstance(recorded, Recorded):
            await self.world.happen(recorded.instance.id, *FOLLOWING.get(recorded.type, ()))

    async def until(self, event: str, count: int = 1) -> None:
        """Until so many of them are recorded."""
        async with asyncio.timeout(PATIENCE_S), self._more:
            await self._more.wait_for(lambda: self.types().count(event) >= count)

    def types(self) -> list[str]:
        return [recorded.type for recorded in self.events]


@asynccontextmanager
async def automatic_cloud(world: World) -> AsyncGenerator[AutomaticCloud]:
    cloud = AutomaticCloud(world)
    await world.connection.jetstream().subscribe(EVERY_EVENT, stream=LIFECYCLE, cb=cloud.hear, ordered_consumer=True)
    yield cloud
