"""Maps a trigger to the one action that it may still ask for, and runs it."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Final

import structlog

from services.provisioner.action_context import ActionContext, Dependencies, Overtaken
from services.provisioner.actions.await_address import await_address
from services.provisioner.actions.create import create
from services.provisioner.actions.install import install
from services.provisioner.actions.open_ports import open_ports
from services.provisioner.actions.power_on import power_on
from services.provisioner.actions.release import release
from services.provisioner.actions.store_image import store_image
from services.provisioner.actions.volumes import resize_volume
from shared.bus.lease import Lease
from shared.journal.recorded import Recorded
from shared.lifecycle.fact import Action
from shared.lifecycle.plan import plan

ACTIONS: Final[Mapping[Action, Callable[[ActionContext], Awaitable[None]]]] = {
    Action.CREATE: create,
    Action.RESIZE_VOLUME: resize_volume,
    Action.POWER_ON: power_on,
    Action.AWAIT_ADDRESS: await_address,
    Action.OPEN_PORTS: open_ports,
    Action.INSTALL: install,
    Action.STORE_IMAGE: store_image,
    Action.RELEASE: release,
}

log = structlog.get_logger()


@dataclass(frozen=True)
class Perform:
    dependencies: Dependencies

    async def __call__(self, recorded: Recorded, lease: Lease) -> None:
        """Do what this trigger asks for, given the instance as it is now. If overtaken, plan again.

        Raises LeaseLost, JournalUnavailable.
        """
        instance_id, known = recorded.event.instance_id, recorded.instance.version
        journal = self.dependencies.journal
        while (action := plan(await journal.load(instance_id, at_least=known), recorded.event)) is not None:
            log.info("action started", action=action, instance_id=str(instance_id), trigger=recorded.event.type())
            try:
                await ACTIONS[action](ActionContext(action, recorded, lease, self.dependencies))
            except Overtaken:
                log.info("action overtaken", action=action, instance_id=str(instance_id))
                continue
            return
