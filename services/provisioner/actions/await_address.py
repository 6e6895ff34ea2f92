"""A public address comes some time after the power."""

from services.provisioner.actions.servers import present, the_server
from services.provisioner.polling import looks
from services.provisioner.provider import Power, TryAgain
from services.provisioner.retry import in_time, persist
from services.provisioner.undertaking import Undertaking, now
from shared.lifecycle.events import IpAssigned


async def await_address(u: Undertaking) -> None:
    async def once() -> None:
        asked = False
        pauses = looks(u.settings.poll_seconds)
        while True:
            zone, server_id = the_server(await u.guard())
            server = present(await u.provider.get_server(zone, server_id))
            if server.ip_address is not None:
                await u.record(
                    IpAssigned(
                        instance_id=u.instance_id,
                        occurred_at=now(),
                        server_id=server_id,
                        ip_address=server.ip_address,
                        address_id=server.address_id,
                    )
                )
                return
            if server.power is Power.OFF:  # a power-on that was accepted may still fail, for want of a free machine
                if asked:
                    raise TryAgain("server_off", "the server went off again before it had an address")
                await u.guard()
                await u.provider.power_on(zone, server_id)
                asked = True
            in_time(u, "an address")
            await u.lease.sleep(next(pauses))

    await persist(u, once)
