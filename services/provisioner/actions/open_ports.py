"""SSH and the worker, and nothing else."""

from collections.abc import Sequence

from services.provisioner.actions.servers import present, the_server
from services.provisioner.provider import SERVER_MISSING, Server, TryAgain
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
        security_group_id = await _opened(u, server, ports)
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


async def _opened(u: Undertaking, server: Server, ports: Sequence[int]) -> str:
    """The group they are open in: the one on record that the server was made in.

    Somebody may have moved it, or deleted a group by hand: then the first on record that is there, else a new one. Its
    id is on record before anything is in it: two holders may make two, and use one.
    """
    missing = set[str]()
    for security_group_id in sorted(await _on_record(u), key=lambda each: each != server.security_group_id):
        try:
            await _open(u, server, security_group_id, ports)
        except TryAgain as error:
            if error.code != SERVER_MISSING:
                raise
            present(await u.provider.get_server(server.zone, server.id))
            missing.add(security_group_id)
        else:
            return security_group_id
    made = await u.provider.make_security_group(server.zone, u.instance_id)
    await u.record(
        SecurityGroupFound(instance_id=u.instance_id, occurred_at=now(), server_id=server.id, security_group_id=made)
    )
    chosen = next((each for each in await _on_record(u) if each not in missing), made)
    await _open(u, server, chosen, ports)
    return chosen


async def _on_record(u: Undertaking) -> Sequence[str]:
    return (await u.guard()).resources.security_group_ids


async def _open(u: Undertaking, server: Server, security_group_id: str, ports: Sequence[int]) -> None:
    await u.guard()
    await u.provider.open_ports(server, u.instance_id, security_group_id, ports, u.settings.source_ranges)
