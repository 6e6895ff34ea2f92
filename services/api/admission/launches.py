"""Whether an organisation may have another instance, by number and by cost.

Launches of one organisation are checked one after the other in all processes of one port. Apis on other machines or
ports may together exceed a limit by their launches in flight.
"""

import asyncio
from collections import defaultdict
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any
from uuid import UUID

from services.api.admission.errors import LimitReached
from services.api.admission.spending import CENTS_OF_CENTS, Offered, Price, counted, expected, per_hour, summed
from services.api.catalogue.access_cache import AccessCache
from services.api.records.place import ALONE, ProcessPlace
from services.api.tenancy.errors import OrganizationUnknown
from services.api.tenancy.organizations import Organization
from services.api.tenancy.repository import OrganizationRepository
from services.api.usage.costs import CostRepository
from shared.clock import CLOCK
from shared.lifecycle.instance import Instance
from shared.lifecycle.wish import Findings, Wish


class Launches:
    """Remembers accepted launches until the read model shows them."""

    def __init__(
        self,
        access: AccessCache,
        organizations: OrganizationRepository,
        costs: CostRepository,
        place: ProcessPlace = ALONE,
    ) -> None:
        self._access = access
        self._organizations = organizations
        self._costs = costs
        self._place = place
        self._turns: defaultdict[UUID, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._accepted: defaultdict[UUID, dict[UUID, Instance]] = defaultdict(dict)

    @property
    def seen_by_others(self) -> bool:
        """Whether other processes check launches, too: they see one when the read model shows it."""
        return self._place.processes > 1

    @asynccontextmanager
    async def turn(self, organization_id: UUID) -> AsyncGenerator[Organization]:
        """The current organisation, at the turn of this launch, or of its deletion. Raises OrganizationUnknown."""
        async with self._turns[organization_id], self._place.turn(organization_id.bytes):
            organization = self._access.organizations.identified(organization_id)
            if organization is None:
                raise OrganizationUnknown("It has been deleted meanwhile.")
            yield organization

    async def expect_organization(self, organization_id: UUID) -> None:
        """Look into the database: a deletion by an api on another machine may not have been heard of here.

        Raises OrganizationUnknown, and one of DATABASE_ERRORS.
        """
        await self._access.load()
        if self._access.organizations.identified(organization_id) is None:
            raise OrganizationUnknown("It has been deleted meanwhile.")

    def accepted(self, instance: Instance) -> None:
        """Count this instance from now on."""
        if instance.specification.organization_id is not None:
            self._accepted[instance.specification.organization_id][instance.id] = instance

    async def standing(self, organization_id: UUID) -> list[Instance]:
        """The instances that may hold something, including those that the read model does not show yet."""
        accepted = self._accepted[organization_id]
        shown = await self._organizations.standing(organization_id, list(accepted))
        for instance in shown:
            accepted.pop(instance.id, None)
        return [*shown, *accepted.values()]

    async def admit(self, organization: Organization, wish: Wish, found: Findings, offered: Offered) -> Findings:
        """The findings with what the limits leave: for any type, the server's highest price.

        Raises LimitReached.
        """
        if (organization.max_instances, organization.spend_per_hour, organization.spend_per_month) == (None,) * 3:
            return found
        instances = await self.standing(organization.id)
        _check_number(organization, counted(instances))
        if organization.spend_per_month is not None:
            await self._check_month(organization, organization.spend_per_month)
        if organization.spend_per_hour is None:
            return found
        return _within_hour(organization, instances, wish, found, offered)

    async def _check_month(self, organization: Organization, limit: float) -> None:
        spent = await self._costs.of_month(organization.id, CLOCK.now())
        if not limit:
            usage = "It may spend nothing in a month."
            raise _reached(organization, "spend_per_month", usage, limit=limit, used=sum(spent.values()))
        for currency, amount in spent.items():
            if amount >= limit:
                usage = f"It has spent {amount:.2f} {currency} this month, and its limit is {limit:.2f} {currency}."
                raise _reached(organization, "spend_per_month", usage, limit=limit, used=amount, currency=currency)


def _check_number(organization: Organization, number: int) -> None:
    limit = organization.max_instances
    if limit is not None and number >= limit:
        usage = f"It has {number} of at most {limit} instances."
        raise _reached(organization, "max_instances", usage, limit=limit, used=number, requested=1)


def _within_hour(
    organization: Organization, instances: list[Instance], wish: Wish, found: Findings, offered: Offered
) -> Findings:
    limit, asked = organization.spend_per_hour, expected(wish, found, offered)
    if limit is None or asked is None:
        return found
    used = per_hour(instances, offered).get(asked.currency, 0.0)
    after = summed((asked, Price(used, asked.currency)))[asked.currency]
    if after > limit:
        at = "up to" if wish.instance_types else "at least"
        usage = f"Its instances cost {used:.2f} {asked.currency} an hour; with {at} {asked.amount:.2f} for this one "
        usage += f"it would be {after:.2f}, and its limit is {limit:.2f}."
        figures = {"limit": limit, "used": used, "requested": asked.amount, "currency": asked.currency}
        raise _reached(organization, "spend_per_hour", usage, **figures)
    if wish.instance_types:
        return found
    return found.model_copy(update={"max_hourly_price": round(limit - used, CENTS_OF_CENTS)})


def _reached(organization: Organization, which: str, usage: str, **figures: Any) -> LimitReached:
    detail = f"{usage} Terminate an instance of {organization.slug}, or have an administrator raise `{which}`."
    return LimitReached(detail, figures={"organization": organization.slug, "limited_by": which, **figures})
