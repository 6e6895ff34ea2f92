"""Has a journal record facts of a deployment."""

from uuid import uuid4

from shared.deployments.deployment import Deployment
from shared.deployments.events import DeploymentEvent, OfTheScaler
from shared.journal.deployments import DeploymentJournal
from tests.deployments.examples import AT


async def happened(journal: DeploymentJournal, *history: DeploymentEvent) -> Deployment:
    """Record them of the deployments that they name; conclusions from whatever version is the last."""
    for fact in history:
        if isinstance(fact, OfTheScaler):
            basis = (await journal.load(fact.deployment_id)).version
            await journal.record(fact.model_copy(update={"basis": basis}))
        else:
            await journal.intend(fact.deployment_id, lambda *_, fact=fact: fact, intent_id=uuid4(), at=AT)
    return await journal.load(history[0].deployment_id)
