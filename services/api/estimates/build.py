"""What estimates are made of."""

from services.api.estimates.estimates import Estimates
from services.api.estimates.repository import LaunchRepository
from services.api.estimates.settings import EstimateSettings
from shared.postgres.connection import Pool


async def loaded_estimates(pool: Pool, settings: EstimateSettings) -> Estimates:
    estimates = Estimates(
        LaunchRepository(pool), launches=settings.eta_launches, refresh_s=settings.eta_refresh_seconds
    )
    await estimates.load()
    return estimates
