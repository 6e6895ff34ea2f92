"""Only the server that claimed the instance is ever powered on."""

from services.provisioner.actions.servers import the_server
from services.provisioner.retry import persist
from services.provisioner.undertaking import Undertaking, now
from shared.lifecycle.events import InstanceStarted


async def power_on(u: Undertaking) -> None:
    async def once() -> None:
        zone, server_id = the_server(await u.guard())
        powered = u.provider.capabilities.power
        if powered:
            await u.provider.power_on(zone, server_id)
        await u.record(
            InstanceStarted(instance_id=u.instance_id, occurred_at=now(), server_id=server_id, skipped=not powered)
        )

    await persist(u, once)
