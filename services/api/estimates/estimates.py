"""When instances will be ready. Past launches are cached and refreshed regularly, so that no request waits for them."""

import asyncio
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Final, Protocol
from uuid import UUID

import structlog

from shared.deployments.load import LONGEST_LEAD_S, Lead
from shared.deployments.wish import Template
from shared.eta.estimate import LAUNCHING, Estimate, cold_start, estimate, type_of
from shared.eta.history import History
from shared.eta.launch import Launch
from shared.eta.start import start_of
from shared.eta.steps import UsualSteps, usual_steps
from shared.lifecycle.instance import Instance
from shared.postgres.connection import DATABASE_ERRORS

log: Final = structlog.get_logger()
_ANY_MOMENT: Final = datetime(1970, 1, 1, tzinfo=UTC)


class NewestLaunches(Protocol):
    async def newest(self, most: int) -> list[Launch]:
        """The newest attempts that became ready. Raises one of DATABASE_ERRORS."""


class Estimates:
    """`launching` are the starting instances, from the event stream.

    While the database is down, the cached launches stay: they do not spoil.
    """

    def __init__(self, past: NewestLaunches, *, launches: int, refresh_s: float) -> None:
        self._past = past
        self._launches = launches
        self._refresh_s = refresh_s
        self.history = History()
        self.launching: dict[UUID, Instance] = {}
        self._leads: dict[tuple[str, str, str | None], Lead] = {}

    def of(self, instance: Instance, at: datetime) -> Estimate | None:
        """None if it is not starting."""
        return estimate(instance, at, self.history)

    def cold_start(self, template: Template, at: datetime) -> Estimate:
        """Of a replica that is ordered at `at`. If it may be of any type, it is compared with what its model ran on."""
        provider, model = template.provider, template.model
        instance_type = next(iter(template.instance_types), None) or self.history.usual_type(provider, model)
        return cold_start(self.history, provider=provider, instance_type=instance_type, model=model, at=at)

    def lead(self, template: Template) -> Lead:
        """How long a replica takes from its order to ready. Computed once for as long as the past stays the same."""
        key = (template.provider, template.model, next(iter(template.instance_types), None))
        if (lead := self._leads.get(key)) is None:
            estimate = self.cold_start(template, _ANY_MOMENT)
            p50_s, p90_s = min(estimate.p50_seconds, LONGEST_LEAD_S), min(estimate.p90_seconds, LONGEST_LEAD_S)
            lead = self._leads[key] = Lead(p50_s=p50_s, p90_s=p90_s)
        return lead

    def steps_of(self, instance: Instance) -> UsualSteps:
        """How long each step of a launch like it usually takes."""
        return usual_steps(
            self.history,
            provider=instance.specification.provider,
            instance_type=type_of(instance),
            model=instance.specification.model,
            attempt=instance.attempt,
            start=start_of(instance),
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
        self._leads.clear()

    async def run(self) -> None:
        """Read them repeatedly; the owner cancels it."""
        while True:
            await asyncio.sleep(self._refresh_s)
            try:
                await self.load()
            except DATABASE_ERRORS as error:
                log.warning("past launches not refreshed", reason=repr(error))
