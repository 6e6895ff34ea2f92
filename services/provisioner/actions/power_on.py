"""Powers on the server that claimed the instance, and never any other."""

from services.provisioner.action_context import ActionContext, now
from services.provisioner.actions.servers import the_server
from services.provisioner.retry import persist
from shared.lifecycle.events import InstanceStarted


async def power_on(context: ActionContext) -> None:
    async def once() -> None:
        zone, server_id = the_server(await context.guard())
        powered = context.provider.capabilities.power
        if powered:
            await context.provider.power_on(zone, server_id)
        await context.record(
            InstanceStarted(
                instance_id=context.instance_id, occurred_at=now(), server_id=server_id, skipped=not powered
            )
        )

    await persist(context, once)
