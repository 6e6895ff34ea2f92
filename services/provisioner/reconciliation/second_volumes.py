"""Volumes of second servers that are gone: without tags, only the journal and this rule know of them.

They outlive their server if their deletion was refused, and would cost money until the instance is released.
"""

from collections.abc import Mapping

import structlog

from services.provisioner.action_context import Overtaken
from services.provisioner.provider import Server
from services.provisioner.reconciliation.context import ReconciliationContext
from shared.lifecycle.instance import Instance

log = structlog.get_logger()


class SecondVolumes:
    """Remembers which it has seen gone, so that each is asked for once by each process."""

    def __init__(self) -> None:
        self._gone = set[str]()

    async def delete(self, context: ReconciliationContext, instance: Instance, listed: Mapping[str, Server]) -> None:
        """One that is still attached is left to the next reconciliation. Raises ProviderError, Overtaken."""
        for volume_id in _left_by_second_servers(instance, listed) - self._gone:
            gone = True
            for zone in context.provider.zones:  # that of a second server is not recorded
                if volume_id not in _left_by_second_servers(
                    await context.journal.load(instance.id, from_leader=True), listed
                ):
                    raise Overtaken
                gone &= await context.provider.delete_volume(zone, volume_id)
            if gone:
                log.info("volume of a second server is gone", volume_id=volume_id, instance_id=str(instance.id))
                self._gone.add(volume_id)


def _left_by_second_servers(instance: Instance, listed: Mapping[str, Server]) -> set[str]:
    """Of an instance that has ended, its release deletes them."""
    second = {server_id for server_id in instance.resources.duplicate_server_ids if server_id not in listed}
    return {volume.id for volume in instance.resources.volumes if instance.in_use and volume.server_id in second}
