"""Deletes everything of an ended instance at the provider. It never gives up, and never fails the instance."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from functools import cached_property

from services.provisioner.action_context import ActionContext, now
from services.provisioner.provider import ProviderError, Server, Silent, TryAgain
from services.provisioner.removal import Removal
from services.provisioner.retry import translated
from services.provisioner.worker_output import keep_worker_output
from shared.lifecycle.events import InstanceTerminated, IpAssigned, PortsOpened, ResourcesReleased, ServerDeleted
from shared.lifecycle.instance import Instance
from shared.lifecycle.status import GONE, Status
from shared.retry import backoff_s


async def release(context: ActionContext) -> None:
    release = _Release(context)
    while not release.over:
        try:
            await translated(context, release.once)
        except ProviderError as error:
            number = (await context.guard()).failed_tries.get(context.action, 0) + 1
            longest = context.settings.longest_release_backoff_seconds
            asked = error.retry_after if isinstance(error, TryAgain) else None
            pause = backoff_s(number, context.settings.backoff_seconds, longest, asked)
            await context.delay(error.code, error.message, pause)
            await context.lease.sleep(pause)


class _Release:
    def __init__(self, context: ActionContext) -> None:
        self.over = False
        self._context = context
        self._kept = False

    @cached_property
    def _removal(self) -> Removal:
        context = self._context
        return Removal(
            context.provider, context.settings, context.instance_id, context.guard, context.record, context.lease.sleep
        )

    async def once(self) -> None:
        """One pass over everything recorded or found. It is the last one if all was recorded and nothing was left."""
        before = await self._context.guard()
        if not self._kept:
            self._kept = True
            await keep_worker_output(self._context.dependencies, before)
            await self._context.guard()
        found: Sequence[Server] = ()
        volumes: Sequence[tuple[str, str]] = ()
        trouble = _Trouble()
        with trouble.noted("servers"):
            found = await self._found(before)
        with trouble.noted("volumes"):
            volumes = await self._context.provider.find_volumes(self._context.instance_id)
        saw_any = await self._servers(before, found, trouble)
        await self._volumes(await self._context.guard(), volumes, trouble)
        trouble.raise_first()
        groups = (await self._context.guard()).resources.security_group_ids
        network = await self._context.provider.release_network(self._context.instance_id, groups)
        if saw_any:
            return
        learned = (await self._context.guard()).resources.revision != before.resources.revision
        if volumes or network or learned or (_in_flight(before) and not self._settled(before)):
            await self._context.lease.sleep(self._context.settings.poll_seconds)
            return
        self.over = await self._said(before)

    async def _found(self, instance: Instance) -> Sequence[Server]:
        """Servers found by tag. If the instance's server is recorded, a silent place counts as having none.

        That is safe: a creation orders again only if all places have said that they have nothing of an earlier order.
        Reconciliation finds what a late holder has done.
        """
        try:
            return await self._context.provider.find_servers(self._context.instance_id)
        except Silent:
            if instance.resources.server_id is None:
                raise
            return ()

    async def _servers(self, instance: Instance, found: Sequence[Server], trouble: "_Trouble") -> bool:
        """Remove servers that were found by tag or are recorded. Returns whether there was any."""
        places = [(server.zone, server.id) for server in found]
        listed = {server.id for server in found}
        recorded = (instance.resources.server_id, *instance.resources.duplicate_server_ids)
        for server_id in recorded:
            if server_id is not None and server_id not in listed:
                places += [(zone, server_id) for zone in self._zones_of(instance, server_id)]
        saw_any = False
        for zone, server_id in places:
            with trouble.noted(server_id):
                saw_any |= await self._removal.server(zone, server_id)
                if server_id == instance.resources.server_id:
                    await self._context.record(
                        ServerDeleted(instance_id=instance.id, occurred_at=now(), server_id=server_id)
                    )
        return saw_any

    async def _volumes(self, instance: Instance, found: Sequence[tuple[str, str]], trouble: "_Trouble") -> None:
        """Delete volumes that were found by tag or are recorded, except those of a server that still exists."""
        server_of = {volume.id: volume.server_id for volume in instance.resources.volumes}
        listed = {volume_id for _, volume_id in found}
        places = list(found)
        for volume_id, server_id in server_of.items():
            if volume_id not in listed:
                places += [(zone, volume_id) for zone in self._zones_of(instance, server_id)]
        for zone, volume_id in places:
            if server_of.get(volume_id) not in trouble.with_:
                with trouble.noted(volume_id):
                    await self._removal.volume(zone, volume_id)

    def _zones_of(self, instance: Instance, server_id: str) -> Sequence[str]:
        """Only the zone of the server that claimed the instance is recorded: a duplicate may be anywhere."""
        claimed = server_id == instance.resources.server_id and instance.zone is not None
        return [instance.zone] if claimed and instance.zone else self._context.provider.zones

    def _settled(self, instance: Instance) -> bool:
        """Whether anything created while the instance was ending would be visible by now."""
        ended_at = max(instance.ended_at or self._context.trigger.recorded_at, self._context.trigger.recorded_at)
        return now() >= ended_at + timedelta(seconds=self._context.settings.settle_seconds)

    async def _said(self, before: Instance) -> bool:
        """Record the end, checked again at the append: a resource recorded meanwhile requires another pass."""
        known = before.resources
        terminating = before.status is Status.TERMINATING
        fact = InstanceTerminated if terminating else ResourcesReleased
        after = await self._context.conclude(
            fact(
                instance_id=self._context.instance_id,
                occurred_at=now(),
                server_id=known.server_id,
                revision=known.revision,
            )
        )
        return after.resources.released and (not terminating or after.status in GONE)


def _in_flight(instance: Instance) -> bool:
    """Whether something may exist that is not recorded: a server, or a security group."""
    if instance.resources.server_id is None:
        return True
    return instance.reached(IpAssigned) and not instance.reached(PortsOpened)


class _Trouble:
    """Collects errors: a resource that cannot be deleted or looked for yet does not stop the rest."""

    def __init__(self) -> None:
        self.with_: dict[str, ProviderError] = {}

    @contextmanager
    def noted(self, resource_id: str) -> Iterator[None]:
        try:
            yield
        except ProviderError as error:
            self.with_[resource_id] = error

    def raise_first(self) -> None:
        for error in self.with_.values():
            raise error
