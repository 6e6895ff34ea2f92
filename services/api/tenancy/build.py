"""What tenancy is made of."""

from dataclasses import dataclass

from services.api.tenancy.repository import OfferingRepository, OrganizationRepository
from shared.postgres.connection import Pool


@dataclass(frozen=True)
class TenancyServices:
    organizations: OrganizationRepository
    offerings: OfferingRepository


def tenancy_services(pool: Pool) -> TenancyServices:
    return TenancyServices(OrganizationRepository(pool), OfferingRepository(pool))
