"""Says to every api, again and again, that this process doubts what it sees."""

import asyncio
from dataclasses import dataclass, field
from datetime import datetime
from typing import NoReturn
from uuid import UUID, uuid4

import structlog
from nats.aio.client import Client
from nats.errors import Error as NatsError

from services.health.sight import Sight
from shared import observation
from shared.clock import CLOCK
from shared.observation import SUBJECT, Doubt

log = structlog.get_logger()


@dataclass
class Doubts:
    """What this process has to say, given what its sight shows; `observer` names this process. Pure."""

    observer: UUID
    _since: datetime | None = None
    _void_before: int = 0

    def next(self, silent_workers: int, void_looks: int, now: datetime) -> Doubt | None:
        """`void_looks`: since the start of the process. None if there is no doubt, and none was told before."""
        new, self._void_before = void_looks - self._void_before, void_looks
        since, in_doubt = self._since, bool(silent_workers or new)
        self._since = (since or now) if in_doubt else None
        if not in_doubt and since is None:
            return None
        return Doubt(observer=self.observer, since=since or now, silent_workers=silent_workers, void_looks=new)


@dataclass(frozen=True)
class Telling:
    connection: Client
    sight: Sight
    doubts: Doubts = field(default_factory=lambda: Doubts(uuid4()))

    async def run(self) -> NoReturn:
        """The owner cancels it. An api that hears nothing more forgets the doubt by itself."""
        while True:
            doubt = self.doubts.next(self.sight.outage.size, self.sight.void_looks, CLOCK.now())
            if doubt is not None:
                try:
                    await self.connection.publish(SUBJECT, doubt.model_dump_json().encode())
                except (NatsError, OSError) as error:
                    log.warning("doubt not told", reason=repr(error))
            await asyncio.sleep(observation.EVERY_S)
