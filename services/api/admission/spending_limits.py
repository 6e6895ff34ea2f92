"""Spending limits that are reached while instances run: recorded as an event of each, then drained if so chosen.

Every api process checks, which is harmless: a limit is recorded once, and a drain depends on the instance's state.
"""

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal
from uuid import uuid4

import structlog
from nats.errors import Error as NatsError
from pydantic import ValidationError

from services.api.admission.launches import Launches
from services.api.admission.spending import Offered, price, summed
from services.api.catalogue.access_cache import AccessCache
from services.api.tenancy.organizations import Organization
from services.api.usage.costs import CostRepository
from shared.clock import CLOCK
from shared.journal.errors import JournalUnavailable
from shared.journal.journal import Journal
from shared.lifecycle.decide import end
from shared.lifecycle.errors import IntentRefused, LifecycleError
from shared.lifecycle.events import SpendingLimitReached
from shared.lifecycle.instance import Instance
from shared.lifecycle.status import ENDING
from shared.offers.instance_types import InstanceTypes
from shared.postgres.connection import DATABASE_ERRORS

log = structlog.get_logger()
_NOT_NOW: Final = (*DATABASE_ERRORS, JournalUnavailable, LifecycleError, NatsError, ValidationError)
"""A server is away, the read model is of another stream, or a provisioner's offers cannot be read."""


@dataclass(frozen=True)
class Reached:
    """`too_many`: the instances that would have to end to stay within it."""

    period: Literal["hour", "month"]
    limit: float
    spent: float
    currency: str
    too_many: tuple[Instance, ...]


def over_an_hour(limit: float, running: Iterable[Instance], offered: Offered) -> list[Reached]:
    """The exceeded limits; exactly at the limit counts as within. `too_many` are the newest, as few as needed."""
    reached = []
    newest_first = sorted(running, key=lambda instance: (instance.created_at, instance.id), reverse=True)
    costing = [(instance, cost) for instance in newest_first if (cost := price(instance, offered))]
    for currency, spent in summed(cost for _, cost in costing).items():
        too_many, left = [], spent
        for instance, cost in costing:
            if left > limit and cost.currency == currency:
                too_many.append(instance)
                left = round(left - cost.amount, 4)
        if too_many:
            reached.append(Reached("hour", limit, spent, currency, tuple(too_many)))
    return reached


class LimitChecks:
    def __init__(
        self,
        access: AccessCache,
        costs: CostRepository,
        launches: Launches,
        instance_types: InstanceTypes,
        journal: Journal,
    ) -> None:
        self._access = access
        self._costs = costs
        self._launches = launches
        self._instance_types = instance_types
        self._journal = journal

    async def run(self, every_s: float) -> None:
        """Check for ever; the owner cancels it."""
        while True:
            await asyncio.sleep(every_s)
            await self.check(CLOCK.now())

    async def check(self, at: datetime) -> None:
        """Check once. Anything that fails now is tried again the next time."""
        for organization in self._access.organizations:
            try:
                await self._check(organization, at)
            except _NOT_NOW as error:
                log.warning("spending limits not checked", organization=organization.slug, reason=repr(error))

    async def _check(self, organization: Organization, at: datetime) -> None:
        standing = await self._launches.standing(organization.id)
        running = [one for one in standing if one.status not in ENDING or one.held_for_inspection]
        for reached in await self._reached(organization, running, at):
            await self._tell(organization, reached, running, at)

    async def _reached(self, organization: Organization, running: list[Instance], at: datetime) -> list[Reached]:
        reached = []
        if organization.spend_per_hour is not None and running:
            reached += over_an_hour(organization.spend_per_hour, running, await self._instance_types.of_all())
        if (limit := organization.spend_per_month) is not None and running:
            spent = await self._costs.of_month(organization.id, at)
            reached += [
                Reached("month", limit, amount, currency, tuple(running))
                for currency, amount in spent.items()
                if amount >= limit
            ]
        return reached

    async def _tell(self, organization: Organization, reached: Reached, running: list[Instance], at: datetime) -> None:
        for instance in running:
            fact = SpendingLimitReached(
                instance_id=instance.id,
                occurred_at=at,
                period=reached.period,
                month=f"{at:%Y-%m}",
                limit=reached.limit,
                spent=reached.spent,
                currency=reached.currency,
            )
            if fact.remembered_as not in instance.limits_told:
                await self._journal.record(fact)
                log.warning("spending limit reached", organization=organization.slug, instance_id=str(instance.id))
        if organization.at_limit == "drain":
            for instance in reached.too_many:
                await self._end(instance, at)

    async def _end(self, instance: Instance, at: datetime) -> None:
        try:
            await self._journal.intend(instance.id, end, intent_id=uuid4(), at=at)
        except IntentRefused as refusal:  # it is ending already, by another api process or a person
            log.info("instance not ended at spending limit", instance_id=str(instance.id), reason=refusal.reason)
