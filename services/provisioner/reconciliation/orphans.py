"""Orphans: resources that ended instances have left, and second servers of others. They are deleted."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from functools import partial
from uuid import UUID

from services.provisioner.action_context import Overtaken, now
from services.provisioner.provider import Resource, Server
from services.provisioner.reconciliation.context import ReconciliationContext, asked, at_once, guarded
from services.provisioner.reconciliation.ownership import Orphan, Ownership, is_over, judge
from services.provisioner.reconciliation.results import RuleFailed, RuleResults
from services.provisioner.removal import Removal
from shared.lifecycle.events import InstanceCreated
from shared.lifecycle.instance import Instance
from shared.lifecycle.status import GONE
from shared.reconciliation import Kind, Unknown


class Orphans:
    """Finds and removes them. Its results raise JournalUnavailable."""

    def __init__(self, context: ReconciliationContext, ownership: Ownership) -> None:
        self._context = context
        self._ownership = ownership

    async def servers(self, servers: Iterable[Server]) -> RuleResults:
        """Servers of ended instances and second servers of others, each with its volumes."""
        going = []
        for server in servers:
            resource = Resource(Kind.SERVER, server.id, server.zone, server.instance_id)
            match await self._judged(resource):
                case Orphan() as orphan:
                    going.append(guarded(f"server {server.id}", self._take_server(server, orphan)))
                case None:
                    pass
                case Unknown() | RuleFailed() as other:
                    yield other
        async for result in at_once(going):
            yield result

    async def others(self, resources: Iterable[Resource]) -> RuleResults:
        """Volumes and disk snapshots, then addresses and security groups, of released instances."""
        disks, networks = [], dict[UUID, list[Orphan]]()
        for resource in resources:
            match await self._judged(resource):
                case Orphan() as orphan if resource.kind is Kind.VOLUME:
                    disks.append(guarded(f"volume {resource.id}", self._take_volume(orphan)))
                case Orphan() as orphan if resource.kind is Kind.DISK_SNAPSHOT:
                    disks.append(guarded(f"disk snapshot {resource.id}", self._take_snapshot(orphan)))
                case Orphan() as orphan:
                    networks.setdefault(orphan.owner, []).append(orphan)
                case None:
                    pass
                case Unknown() | RuleFailed() as other:
                    yield other
        async for result in at_once(disks):
            yield result
        taken = (guarded(f"network of {owner}", self._take_network(owner, parts)) for owner, parts in networks.items())
        async for result in at_once(taken):
            yield result

    async def _judged(self, resource: Resource) -> Orphan | Unknown | RuleFailed | None:
        judging = partial(judge, self._context, self._ownership, resource)
        return await asked(f"{resource.kind} {resource.id}", judging)

    async def _take_server(self, server: Server, orphan: Orphan) -> RuleResults:
        await self._remove_server(server, orphan.owner)
        yield orphan.removed

    async def _take_volume(self, orphan: Orphan) -> RuleResults:
        removal = self._removal(orphan.owner, self._released_one(orphan.owner))
        await removal.volume(orphan.resource.zone, orphan.resource.id)
        yield orphan.removed

    async def _take_snapshot(self, orphan: Orphan) -> RuleResults:
        """One that an image needs after all, or that is still being made, is left to the next reconciliation."""
        await self._released_one(orphan.owner)()
        if await self._context.provider.delete_disk_snapshot(orphan.resource.zone, orphan.resource.id):
            yield orphan.removed

    async def _take_network(self, owner: UUID, parts: Sequence[Orphan]) -> RuleResults:
        known = (await self._released_one(owner)()).resources.security_group_ids
        gone = set(await self._context.provider.release_network(owner, known))
        for part in parts:
            if part.resource.id in gone:
                yield part.removed

    async def _remove_server(self, server: Server, owner: UUID) -> None:
        """Records its id first: for an ended instance, that alone triggers a release of everything around it."""
        journal = self._context.journal

        async def guard() -> Instance:
            instance = await journal.load(owner, from_leader=True)
            if _claimed_by(instance, server):
                raise Overtaken
            return instance

        created = InstanceCreated(
            instance_id=owner,
            occurred_at=now(),
            server_id=server.id,
            zone=server.zone,
            instance_type=server.instance_type,
        )
        if _claimed_by(await journal.record(created), server):
            return
        removal = self._removal(owner, guard)
        await removal.server(server.zone, server.id)
        for volume in (await guard()).resources.volumes:
            if volume.server_id == server.id:
                await removal.volume(server.zone, volume.id)

    def _released_one(self, owner: UUID) -> Callable[[], Awaitable[Instance]]:
        async def guard() -> Instance:
            instance = await self._context.journal.load(owner, from_leader=True)
            if not is_over(instance):
                raise Overtaken
            return instance

        return guard

    def _removal(self, owner: UUID, guard: Callable[[], Awaitable[Instance]]) -> Removal:
        context = self._context
        return Removal(context.provider, context.settings, owner, guard, context.journal.record, asyncio.sleep)


def _claimed_by(instance: Instance, server: Server) -> bool:
    """Whether it is the server of an instance that lives, or whose release is about to delete it."""
    ended = instance.status in GONE or instance.resources.released
    return server.id == instance.resources.server_id and not ended
