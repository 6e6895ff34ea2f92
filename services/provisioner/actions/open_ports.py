"""SSH and the worker, and nothing else."""

from services.provisioner.actions.servers import present, the_server
from services.provisioner.provider import Server
from services.provisioner.retry import persist
from services.provisioner.undertaking import Undertaking, now
from shared.lifecycle.events import PortsOpened, SecurityGroupFound


async def open_ports(u: Undertaking) -> None:
    ports = (u.settings.ssh_port, u.settings.worker_port)

    async def once() -> None:
        zone, server_id = the_server(await u.guard())
        if not u.provider.capabilities.ports:
            await u.record(
                PortsOpened(
                    instance_id=u.instance_id, occurred_at=now(), server_id=server_id, ports=ports, skipped=True
                )
            )
            return
        server = present(await u.provider.get_server(zone, server_id))
        security_group_id = await _group(u, server)
        await u.provider.open_ports(server, u.instance_id, security_group_id, ports, u.settings.source_ranges)
        await u.record(
            PortsOpened(
                instance_id=u.instance_id,
                occurred_at=now(),
                server_id=server_id,
                security_group_id=security_group_id,
                ports=ports,
                source_ranges=u.settings.source_ranges,
            )
        )

    await persist(u, once)


async def _group(u: Undertaking, server: Server) -> str:
    """The first one on record. Its id is there before anything is in it: two holders may make two, and use one."""
    if not (await u.guard()).resources.security_group_ids:
        security_group_id = await u.provider.make_security_group(server, u.instance_id)
        await u.record(
            SecurityGroupFound(
                instance_id=u.instance_id,
                occurred_at=now(),
                server_id=server.id,
                security_group_id=security_group_id,
            )
        )
    return (await u.guard()).resources.security_group_ids[0]
