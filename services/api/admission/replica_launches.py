"""Answers the scaler, which asks for the launch of a replica: admitted as somebody's launch would be."""

import asyncio
from typing import Final, NoReturn
from uuid import UUID

import structlog
from nats.aio.msg import Msg
from nats.errors import Error as NatsError
from pydantic import ValidationError

from services.api.admission.deployment_body import replica_body
from services.api.admission.intents import Intents
from services.api.admission.stores import Stores
from services.api.catalogue.access_cache import AccessCache
from services.api.refusals import Refused
from services.api.tenancy.errors import OrganizationUnknown
from services.api.tenancy.organizations import Organization
from shared.deployments.deployment import Deployment, DeploymentStatus, Replica
from shared.deployments.errors import DeploymentUnknown
from shared.journal.deployments import DeploymentJournal
from shared.journal.errors import JournalUnavailable
from shared.journal.journal import Journal
from shared.launching import LaunchReply, LaunchRequest
from shared.lifecycle.errors import InstanceConflict, InstanceUnknown
from shared.lifecycle.wish import OfDeployment
from shared.postgres.connection import DOWN

_AT_ONCE: Final = 16
"""How many launches are judged at the same time: the hub may keep each waiting for some seconds."""
_WITHIN_S: Final = 30.0
"""Whoever asked takes a launch for failed a minute later: then nothing may be launched any more."""
_LAUNCHED: Final = LaunchReply(outcome="launched")
_UNWANTED: Final = LaunchReply(outcome="unwanted")

log = structlog.get_logger()


class ReplicaLaunches:
    def __init__(
        self,
        deployments: DeploymentJournal,
        instances: Journal,
        intents: Intents,
        access: AccessCache,
        stores: Stores,
    ) -> None:
        self._deployments = deployments
        self._instances = instances
        self._intents = intents
        self._access = access
        self._stores = stores
        self._asked: asyncio.Queue[tuple[float, Msg]] = asyncio.Queue(_AT_ONCE)

    async def on_message(self, message: Msg) -> None:
        await self._asked.put((asyncio.get_running_loop().time() + _WITHIN_S, message))

    async def run(self) -> None:
        """Answer for ever; the owner cancels it."""
        async with asyncio.TaskGroup() as group:
            for _ in range(_AT_ONCE):
                group.create_task(self._answer_each())

    async def answer(self, request: LaunchRequest) -> LaunchReply:
        """Twice for the same replica, or at once by two, it makes one instance.

        Raises JournalUnavailable, and one of DOWN without the database.
        """
        deployment = await self._wanting(request)
        replica = None if deployment is None else _wanted(deployment, request.instance_id)
        if deployment is None or replica is None:
            return _UNWANTED
        try:
            if not await self._exists(request):
                await self._launch(deployment, replica)
        except Refused as refused:
            return LaunchReply(outcome="refused", code=refused.code, message=refused.detail)
        except InstanceConflict:  # it was launched before the deployment was changed
            pass
        return _LAUNCHED

    async def _answer_each(self) -> NoReturn:
        while True:
            until, message = await self._asked.get()
            try:
                async with asyncio.timeout_at(until):
                    reply = await self.answer(LaunchRequest.model_validate_json(message.data))
                await message.respond(reply.model_dump_json().encode())
            except ValidationError as error:
                log.warning("request for a launch not understood", reason=str(error))
            except (JournalUnavailable, NatsError, TimeoutError, *DOWN) as error:  # the scaler asks again
                log.warning("request for a launch not answered", reason=repr(error))
            except Exception:
                log.exception("request for a launch failed")

    async def _wanting(self, request: LaunchRequest) -> Deployment | None:
        """The deployment, if it wants any replicas. Raises JournalUnavailable."""
        try:
            async with self._stores.patiently():
                deployment = await self._deployments.load(request.deployment_id, from_leader=True)
        except DeploymentUnknown:
            return None
        return deployment if deployment.status is DeploymentStatus.ACTIVE else None

    async def _exists(self, request: LaunchRequest) -> bool:
        try:
            async with self._stores.patiently():
                await self._instances.load(request.instance_id)
        except InstanceUnknown:
            return False
        return True

    async def _launch(self, deployment: Deployment, replica: Replica) -> None:
        """Raises Refused, InstanceConflict, JournalUnavailable."""
        body = replica_body(deployment.wish, deployment.template_of(replica.revision), replica.ordinal)
        its = OfDeployment(
            deployment_id=deployment.id,
            deployment_name=deployment.name,
            revision=replica.revision,
            ordinal=replica.ordinal,
            generation=replica.generation,
        )
        organization = self._organization(deployment)
        await self._intents.launch_replica(body, its, replica.instance_id, organization, avoid=replica.avoid)

    def _organization(self, deployment: Deployment) -> Organization | None:
        """Raises OrganizationUnknown."""
        found = self._access.organizations.identified(deployment.organization_id)
        if found is None and deployment.organization_id is not None:
            raise OrganizationUnknown("The deployment's organisation has been deleted.")
        return found


def _wanted(deployment: Deployment, instance_id: UUID) -> Replica | None:
    """None also for a replica of a revision in between: what that was to be is not known any more."""
    known = {deployment.revision, deployment.serving_revision}
    staying = (one for one in deployment.staying if one.revision in known)
    return next((one for one in staying if one.instance_id == instance_id), None)
