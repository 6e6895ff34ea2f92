"""What is known of deployments, beside their journal."""

from dataclasses import dataclass

from nats.aio.client import Client
from nats.aio.msg import Msg

from services.api.deployments.explaining import ScalingExplained
from services.api.deployments.recent_load import RecentLoad
from services.api.deployments.repository import DeploymentRepository
from services.api.estimates.estimates import Estimates
from shared.load import SUBJECT
from shared.load_heard import HeardLoad
from shared.postgres.connection import Pool


@dataclass(frozen=True)
class DeploymentServices:
    repository: DeploymentRepository
    heard: HeardLoad
    recent: RecentLoad
    explained: ScalingExplained


async def deployment_services(connection: Client, pool: Pool, estimates: Estimates) -> DeploymentServices:
    """It hears from now on what all apis tell of their load."""
    heard = HeardLoad()

    async def hear(message: Msg) -> None:
        heard.hear(message.data)

    await connection.subscribe(SUBJECT, cb=hear)
    repository, recent = DeploymentRepository(pool), RecentLoad(heard)
    return DeploymentServices(repository, heard, recent, ScalingExplained(repository, estimates, heard, recent))
