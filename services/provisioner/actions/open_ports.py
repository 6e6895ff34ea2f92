"""Opens the ports of SSH and the worker, and nothing else."""

from collections.abc import Sequence

from services.provisioner.action_context import ActionContext, now
from services.provisioner.actions.servers import present, the_server
from services.provisioner.provider import SERVER_MISSING, Server, TryAgain
from services.provisioner.retry import persist
from shared.lifecycle.events import PortsOpened, SecurityGroupFound


async def open_ports(context: ActionContext) -> None:
    ports = (context.settings.ssh_port, context.settings.worker_port)

    async def once() -> None:
        zone, server_id = the_server(await context.guard())
        if not context.provider.capabilities.ports:
            await context.record(
                PortsOpened(
                    instance_id=context.instance_id, occurred_at=now(), server_id=server_id, ports=ports, skipped=True
                )
            )
            return
        server = present(await context.provider.get_server(zone, server_id))
        security_group_id = await _opened(context, server, ports)
        await context.record(
            PortsOpened(
                instance_id=context.instance_id,
                occurred_at=now(),
                server_id=server_id,
                security_group_id=security_group_id,
                ports=ports,
                source_ranges=context.settings.source_ranges,
            )
        )

    await persist(context, once)


async def _opened(context: ActionContext, server: Server, ports: Sequence[int]) -> str:
    """The group in which they are open: the recorded one in which the server was created.

    If somebody has moved the server or deleted the group, it is the first recorded one that exists, else a new one. Its
    id is recorded before anything is in it: two holders may create two, and use one.
    """
    missing = set[str]()
    for security_group_id in sorted(await _on_record(context), key=lambda each: each != server.security_group_id):
        try:
            await _open(context, server, security_group_id, ports)
        except TryAgain as error:
            if error.code != SERVER_MISSING:
                raise
            present(await context.provider.get_server(server.zone, server.id))
            missing.add(security_group_id)
        else:
            return security_group_id
    made = await context.provider.make_security_group(server.zone, context.instance_id)
    await context.record(
        SecurityGroupFound(
            instance_id=context.instance_id, occurred_at=now(), server_id=server.id, security_group_id=made
        )
    )
    chosen = next((each for each in await _on_record(context) if each not in missing), made)
    await _open(context, server, chosen, ports)
    return chosen


async def _on_record(context: ActionContext) -> Sequence[str]:
    return (await context.guard()).resources.security_group_ids


async def _open(context: ActionContext, server: Server, security_group_id: str, ports: Sequence[int]) -> None:
    await context.guard()
    await context.provider.open_ports(
        server, context.instance_id, security_group_id, ports, context.settings.source_ranges
    )
