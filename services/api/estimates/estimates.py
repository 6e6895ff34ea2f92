"""When instances will be ready. Past launches are cached and refreshed regularly, so that no request waits for them."""

import asyncio
from collections.abc import Iterable
from datetime import datetime
from typing import Final
from uuid import UUID

import structlog

from services.api.estimates.repository import LaunchRepository
from shared.eta.estimate import LAUNCHING, Estimate, estimate, type_of
from shared.eta.history import History
from shared.eta.steps import UsualSteps, usual_steps
from shared.lifecycle.instance import Instance
from shared.postgres.connection import DATABASE_ERRORS

log: Final = structlog.get_logger()


class Estimates:
    """`launching` are the starting instances, from the event stream.

    While the database is down, the cached launches stay: they do not spoil.
    """

    def __init__(self, past: LaunchRepository, *, launches: int, refresh_s: float) -> None:
        self._past = past
        self._launches = launches
        self._refresh_s = refresh_s
        self.history = History()
        self.launching: dict[UUID, Instance] = {}

    def of(self, instance: Instance, at: datetime) -> Estimate | None:
        """None if it is not starting."""
        return estimate(instance, at, self.history)

    def steps_of(self, instance: Instance) -> UsualSteps:
        """How long each step of a launch like it usually takes."""
        return usual_steps(
            self.history,
            provider=instance.specification.provider,
            instance_type=type_of(instance),
            model=instance.specification.model,
            attempt=instance.attempt,
        )

    def replace(self, instances: Iterable[Instance]) -> None:
        """Forget all starting instances and begin with these."""
        self.launching.clear()
        for instance in instances:
            self.apply(instance)

    def apply(self, instance: Instance) -> None:
        """Take over the instance from an event."""
        if instance.status in LAUNCHING:
            self.launching[instance.id] = instance
        else:
            self.launching.pop(instance.id, None)

    async def load(self) -> None:
        """Read the newest launches now."""
        self.history = History(await self._past.newest(self._launches))

    async def run(self) -> None:
        """Read them repeatedly; the owner cancels it."""
        while True:
            await asyncio.sleep(self._refresh_s)
            try:
                await self.load()
            except DATABASE_ERRORS as error:
                log.warning("past launches not refreshed", reason=repr(error))
