"""What usage is made of."""

from dataclasses import dataclass

from services.api.usage.costs import CostRepository
from services.api.usage.repository import UsageRepository
from shared.postgres.connection import Pool


@dataclass(frozen=True)
class UsageServices:
    usage: UsageRepository
    costs: CostRepository


def usage_services(pool: Pool) -> UsageServices:
    return UsageServices(UsageRepository(pool), CostRepository(pool))
