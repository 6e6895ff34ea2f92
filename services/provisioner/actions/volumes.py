"""The boot volume: found once the provider has created it, and grown while its server is off."""

from services.provisioner.action_context import ActionContext, now
from services.provisioner.actions.servers import present, the_server
from services.provisioner.polling import looks
from services.provisioner.provider import Server
from services.provisioner.retry import in_time, persist
from shared.lifecycle.events import VolumeFound, VolumeResized


async def resize_volume(context: ActionContext) -> None:
    async def once() -> None:
        if not context.provider.capabilities.volumes:
            _, server_id = the_server(await context.guard())
            await context.record(
                VolumeResized(instance_id=context.instance_id, occurred_at=now(), server_id=server_id, skipped=True)
            )
            return
        server = await _with_a_volume(context)
        size_gb = await _grown(context, server)
        await context.record(
            VolumeResized(
                instance_id=context.instance_id,
                occurred_at=now(),
                server_id=server.id,
                volume_id=server.volume_ids[0],
                size_gb=size_gb,
            )
        )

    await persist(context, once)


async def note_volumes(context: ActionContext, server: Server) -> None:
    """Records ids as soon as they are seen: once the server is gone, nothing at the provider says whose they were."""
    for volume_id in (*server.volume_ids, *server.scratch_ids):
        await context.record(
            VolumeFound(
                instance_id=context.instance_id,
                occurred_at=now(),
                volume_id=volume_id,
                server_id=server.id,
                scratch=volume_id in server.scratch_ids,
            )
        )


async def _grown(context: ActionContext, server: Server) -> int:
    """Waits until it has grown; returns its GB. A server whose volume is growing cannot be powered on."""
    pauses = looks(context.settings.poll_seconds)
    while True:
        size_gb = (await context.guard()).specification.volume_gb
        if await context.provider.grow_volume(server.zone, server.volume_ids[0], size_gb, context.instance_id):
            return size_gb
        in_time(context, "the volume to grow")
        await context.lease.sleep(next(pauses))


async def _with_a_volume(context: ActionContext) -> Server:
    pauses = looks(context.settings.poll_seconds)
    while True:
        zone, server_id = the_server(await context.guard())
        server = present(await context.provider.get_server(zone, server_id))
        if server.volume_ids:
            await note_volumes(context, server)
            return server
        in_time(context, "the boot volume")
        await context.lease.sleep(next(pauses))
