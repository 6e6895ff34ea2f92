"""Ends instances of deployments: by the same intents as people do."""

from dataclasses import dataclass
from datetime import datetime
from uuid import uuid5

import structlog

from shared.bus.lease import Lease
from shared.clock import CLOCK
from shared.deployments.errors import DeploymentUnknown
from shared.journal.deployments import DeploymentJournal
from shared.journal.journal import Journal
from shared.journal.recorded import Recorded
from shared.lifecycle.decide import end
from shared.lifecycle.errors import IntentRefused
from shared.lifecycle.instance import Instance
from shared.lifecycle.wish import OfDeployment

log = structlog.get_logger()


async def end_instance(journal: Journal, instance: Instance, at: datetime) -> Instance:
    """The instance after it: draining if it serves, otherwise terminating, unless it is ending already."""
    intent_id = uuid5(instance.id, f"ended at version {instance.version}")
    try:
        return await journal.intend(instance.id, end, intent_id=intent_id, at=at)
    except IntentRefused:
        return await journal.load(instance.id, from_leader=True)


@dataclass(frozen=True)
class UnwantedReplicas:
    """Ends a replica that was launched although its deployment does not want it any more.

    Its launch may have been asked for by a scaler that stood still, while another has concluded that it never came.
    """

    journal: Journal
    deployments: DeploymentJournal

    async def check(self, recorded: Recorded, lease: Lease) -> None:
        of = recorded.instance.specification.replica
        if of is None or await self._is_wanted(recorded.instance, of):
            return
        lease.check()
        instance = await self.journal.load(recorded.instance.id, at_least=recorded.instance.version)
        await end_instance(self.journal, instance, CLOCK.now())
        log.info("unwanted replica ended", instance_id=str(instance.id), deployment_id=str(of.deployment_id))

    async def _is_wanted(self, instance: Instance, of: OfDeployment) -> bool:
        try:
            deployment = await self.deployments.load(of.deployment_id, from_leader=True)
        except DeploymentUnknown:
            return False
        return any(each.instance_id == instance.id for each in deployment.staying)
