"""What follows the feed."""

from collections.abc import Iterable
from typing import Protocol

from shared.deployments.deployment import Deployment
from shared.lifecycle.instance import Instance


class Follower(Protocol):
    """Something that follows the events of instances: it knows each as of its last event."""

    def apply(self, instance: Instance) -> object:
        """Take over the instance from an event."""

    def replace(self, instances: Iterable[Instance]) -> None:
        """Forget everything and start with these."""


class DeploymentFollower(Protocol):
    """Something that follows the events of deployments: it knows each as of its last event."""

    def apply(self, deployment: Deployment) -> object:
        """Take over the deployment from an event."""

    def replace(self, deployments: Iterable[Deployment]) -> None:
        """Forget everything and start with these."""
