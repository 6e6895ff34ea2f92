"""The load of the last hour, as this process has heard it."""

import asyncio
from datetime import datetime
from typing import Final, NoReturn
from uuid import UUID

from shared.clock import CLOCK
from shared.deployments.load import Sample
from shared.load import EVERY_S
from shared.load_heard import HeardLoad
from shared.load_samples import Samples

_MOST_S: Final = 3_600.0


class RecentLoad:
    """Less than the scaler keeps: what was before is known by its slots."""

    def __init__(self, heard: HeardLoad) -> None:
        self._heard = heard
        self._samples = Samples(EVERY_S, _MOST_S)

    def of(self, deployment_id: UUID, seconds: float) -> tuple[Sample, ...]:
        """The samples of so many seconds, oldest first."""
        return self._samples.recent(deployment_id, seconds)

    def add(self, at: datetime) -> None:
        """What is heard now. Call it every EVERY_S."""
        self._samples.add(at, self._heard.loads() if self._heard.known else None, self._heard.arriving())

    async def run(self) -> NoReturn:
        """The owner cancels it."""
        while True:
            self.add(CLOCK.now())
            await asyncio.sleep(EVERY_S)
