"""The boot volume: found when the provider has made it, and grown while its server is off."""

from services.provisioner.actions.servers import present, the_server
from services.provisioner.polling import looks
from services.provisioner.provider import Server
from services.provisioner.retry import in_time, persist
from services.provisioner.undertaking import Undertaking, now
from shared.lifecycle.events import VolumeFound, VolumeResized


async def resize_volume(u: Undertaking) -> None:
    async def once() -> None:
        if not u.provider.capabilities.volumes:
            _, server_id = the_server(await u.guard())
            await u.record(
                VolumeResized(instance_id=u.instance_id, occurred_at=now(), server_id=server_id, skipped=True)
            )
            return
        server = await _with_a_volume(u)
        size_gb = await _grown(u, server)
        await u.record(
            VolumeResized(
                instance_id=u.instance_id,
                occurred_at=now(),
                server_id=server.id,
                volume_id=server.volume_ids[0],
                size_gb=size_gb,
            )
        )

    await persist(u, once)


async def note_volumes(u: Undertaking, server: Server) -> None:
    """Ids are recorded as soon as they are seen: once its server is gone, nothing at the provider says whose it was."""
    for volume_id in server.volume_ids:
        await u.record(
            VolumeFound(instance_id=u.instance_id, occurred_at=now(), volume_id=volume_id, server_id=server.id)
        )


async def _grown(u: Undertaking, server: Server) -> int:
    """Until it is, in GB: a server whose volume is still growing cannot be powered on."""
    pauses = looks(u.settings.poll_seconds)
    while True:
        size_gb = (await u.guard()).specification.volume_gb
        if await u.provider.grow_volume(server.zone, server.volume_ids[0], size_gb, u.instance_id):
            return size_gb
        in_time(u, "the volume to grow")
        await u.lease.sleep(next(pauses))


async def _with_a_volume(u: Undertaking) -> Server:
    pauses = looks(u.settings.poll_seconds)
    while True:
        zone, server_id = the_server(await u.guard())
        server = present(await u.provider.get_server(zone, server_id))
        if server.volume_ids:
            await note_volumes(u, server)
            return server
        in_time(u, "the boot volume")
        await u.lease.sleep(next(pauses))
