"""A public address comes some time after the power."""

from services.provisioner.action_context import ActionContext, now
from services.provisioner.actions.servers import present, the_server
from services.provisioner.polling import looks
from services.provisioner.provider import Power, TryAgain
from services.provisioner.retry import in_time, persist
from shared.lifecycle.events import IpAssigned


async def await_address(context: ActionContext) -> None:
    async def once() -> None:
        asked = False
        pauses = looks(context.settings.poll_seconds)
        while True:
            zone, server_id = the_server(await context.guard())
            server = present(await context.provider.get_server(zone, server_id))
            if server.ip_address is not None:
                await context.record(
                    IpAssigned(
                        instance_id=context.instance_id,
                        occurred_at=now(),
                        server_id=server_id,
                        ip_address=server.ip_address,
                        address_id=server.address_id,
                    )
                )
                return
            if server.power is Power.OFF:  # an accepted power-on may still fail, if no machine is free
                if asked:
                    raise TryAgain("server_off", "the server went off again before it had an address")
                await context.guard()
                await context.provider.power_on(zone, server_id)
                asked = True
            in_time(context, "an address")
            await context.lease.sleep(next(pauses))

    await persist(context, once)
