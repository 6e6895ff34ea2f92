"""What ended instances have left, and second servers of others: it goes."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from functools import partial
from uuid import UUID

from services.provisioner.action_context import Overtaken, now
from services.provisioner.ownership import is_over, judge
from services.provisioner.provider import Resource, Server
from services.provisioner.removal import Removal
from services.provisioner.round import Round
from shared.lifecycle.events import InstanceCreated
from shared.lifecycle.instance import Instance
from shared.lifecycle.status import GONE
from shared.reconciliation import Kind, Reason, Removed


class LeftOver:
    """For one round. What it does raises JournalUnavailable."""

    def __init__(self, this: Round) -> None:
        self._round = this
        self._journal = this.journal
        self._provider = this.provider

    async def servers(self, servers: Iterable[Server]) -> None:
        """Those of ended instances and the second ones of others, each with its volumes."""
        going = []
        for server in servers:
            resource = Resource(Kind.SERVER, server.id, server.zone, server.instance_id)
            with self._round.noting(f"server {server.id}"):
                if judged := await judge(self._round, resource):
                    going.append(partial(self._take_server, server, resource, *judged))
        await self._round.do(going)

    async def others(self, resources: Iterable[Resource]) -> None:
        """Volumes, then addresses and groups, of released instances."""
        volumes, networks = [], dict[UUID, list[Resource]]()
        for resource in resources:
            with self._round.noting(f"{resource.kind} {resource.id}"):
                if judged := await judge(self._round, resource):
                    owner, reason = judged
                    if resource.kind is Kind.VOLUME:
                        volumes.append(partial(self._take_volume, resource, owner, reason))
                    else:
                        networks.setdefault(owner, []).append(resource)
        await self._round.do(volumes)
        await self._round.do(partial(self._take_network, owner, parts) for owner, parts in networks.items())

    def _tell(self, resource: Resource, owner: UUID, reason: Reason) -> None:
        self._round.remove(
            Removed(kind=resource.kind, id=resource.id, zone=resource.zone, instance_id=owner, reason=reason)
        )

    async def _take_server(self, server: Server, resource: Resource, owner: UUID, reason: Reason) -> None:
        with self._round.noting(f"server {server.id}"):
            await self._remove_server(server, owner)
            self._tell(resource, owner, reason)

    async def _take_volume(self, resource: Resource, owner: UUID, reason: Reason) -> None:
        with self._round.noting(f"volume {resource.id}"):
            await self._removal(owner, self._released_one(owner)).volume(resource.zone, resource.id)
            self._tell(resource, owner, reason)

    async def _take_network(self, owner: UUID, parts: Sequence[Resource]) -> None:
        with self._round.noting(f"network of {owner}"):
            known = (await self._released_one(owner)()).resources.security_group_ids
            gone = set(await self._provider.release_network(owner, known))
            for part in parts:
                if part.id in gone:
                    self._tell(part, owner, Reason.ENDED)

    async def _remove_server(self, server: Server, owner: UUID) -> None:
        """Its id is recorded first: on an ended instance, that alone has it released with everything around it."""

        async def guard() -> Instance:
            instance = await self._journal.load(owner)
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
        if _claimed_by(await self._journal.record(created), server):
            return
        removal = self._removal(owner, guard)
        await removal.server(server.zone, server.id)
        for volume in (await guard()).resources.volumes:
            if volume.server_id == server.id:
                await removal.volume(server.zone, volume.id)

    def _released_one(self, owner: UUID) -> Callable[[], Awaitable[Instance]]:
        async def guard() -> Instance:
            instance = await self._journal.load(owner)
            if not is_over(instance):
                raise Overtaken
            return instance

        return guard

    def _removal(self, owner: UUID, guard: Callable[[], Awaitable[Instance]]) -> Removal:
        this = self._round
        return Removal(this.provider, this.settings, owner, guard, this.journal.record, asyncio.sleep)


def _claimed_by(instance: Instance, server: Server) -> bool:
    """It is the one of an instance that goes on, or whose release is about to take it."""
    ended = instance.status in GONE or instance.resources.released
    return server.id == instance.resources.server_id and not ended
