"""Another model that may answer while a deployment has no replica that is ready."""

from collections.abc import Collection
from typing import Final

from services.api.access.api_keys import ApiKey
from services.api.catalogue.access_records import KnownAccess
from services.api.catalogue.resolution import Resolved, allowed, resolve
from services.api.deployments.table import DeploymentTable
from services.api.router.asked import Asked, read
from services.api.router.bodies import Body
from services.api.router.endpoints import Endpoint
from services.api.router.turns import Turns
from shared.deployments.deployment import DeploymentStatus
from shared.lifecycle.wish import Task

HEADER: Final = b"x-coldstart-fallback"
"""Names the model that has answered instead."""


class Fallback:
    def __init__(self, access: KnownAccess, deployments: DeploymentTable) -> None:
        self._access = access
        self._deployments = deployments
        self._turns = Turns()

    def of(self, model: str, tasks: Collection[Task], owner: ApiKey) -> str | None:
        """The model of one of these tasks that may answer this key instead; None if there is none."""
        organization = self._access.organization_of(owner)
        for deployment in self._deployments.serving(model, owner.organization_id):
            name = deployment.wish.scaling.fallback
            if name is None or deployment.status is DeploymentStatus.DELETED:
                continue
            found = resolve(name, self._access.catalogue, organization)
            if isinstance(found, Resolved) and found.model.task in tasks and allowed(owner, name, found.model):
                return found.model.model
        return None

    async def put_into(self, body: Body, model: str, endpoint: Endpoint) -> None:
        """Name this model in a body that names another. Nothing else changes."""
        asked = read(body.content, endpoint)
        if not isinstance(asked, Asked):
            asked = await self._turns.finished(asked)
        sent = asked.sent_on(model)
        body.content = sent if isinstance(sent, bytes) else await self._turns.finished(sent)
