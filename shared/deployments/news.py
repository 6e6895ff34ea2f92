"""Whether a fact still says something about the deployment. The journal asks on every reload."""

from shared.deployments.deployment import Deployment
from shared.deployments.events import DeploymentFact, OfTheScaler


def is_news(deployment: Deployment, event: DeploymentFact) -> bool:
    """False for a conclusion from a version that is not the last any more: its scaler has to conclude again."""
    return not isinstance(event, OfTheScaler) or event.basis == deployment.version
