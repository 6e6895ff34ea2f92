"""Puts together what the control API shows of a deployment."""

from collections.abc import Sequence

from services.api.catalogue.access_cache import AccessCache
from services.api.control.deployment_views import DeploymentView
from services.api.control.repository import InstanceRepository
from services.api.estimates.estimates import Estimates
from shared.clock import CLOCK
from shared.deployments.deployment import Deployment
from shared.description import InstanceView
from shared.load_heard import HeardLoad


class ShownDeployments:
    def __init__(
        self, instances: InstanceRepository, estimates: Estimates, heard: HeardLoad, access: AccessCache
    ) -> None:
        self._instances = instances
        self._estimates = estimates
        self._heard = heard
        self._access = access

    async def one(self, deployment: Deployment) -> DeploymentView:
        (shown,) = await self.of([deployment])
        return shown

    async def of(self, deployments: Sequence[Deployment]) -> list[DeploymentView]:
        """With their instances as the read model has them."""
        ids = [replica.instance_id for deployment in deployments for replica in deployment.replicas]
        found, at = await self._instances.identified(ids) if ids else [], CLOCK.now()
        instances = {one.id: InstanceView.of(one, at, eta=self._estimates.of(one, at)) for one in found}
        organizations = self._access.organizations
        return [
            DeploymentView.shown(
                deployment,
                instances,
                self._heard.of(deployment.id) if self._heard.known else None,
                organizations.identified(deployment.organization_id),
                at,
            )
            for deployment in deployments
        ]
