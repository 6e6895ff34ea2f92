"""How much of its limits an organisation uses, computed as for the check of a launch."""

from dataclasses import dataclass
from datetime import datetime

from services.api.admission.launches import Launches
from services.api.admission.spending import Offered, Sums, counted, per_hour
from services.api.tenancy.organizations import Organization
from services.api.usage.costs import CostRepository


@dataclass(frozen=True)
class LimitUse:
    """Amounts are by currency: per hour now, and of this month (UTC) so far."""

    instances: int
    hour: Sums
    month: Sums


async def limit_use(
    organization: Organization, launches: Launches, costs: CostRepository, offered: Offered, at: datetime
) -> LimitUse:
    standing = await launches.standing(organization.id)
    month = await costs.of_month(organization.id, at)
    return LimitUse(counted(standing), per_hour(standing, offered), month)
