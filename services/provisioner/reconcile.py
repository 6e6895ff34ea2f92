"""Every minute, the provider against the journal: what nobody owns goes, what is gone is said."""

import asyncio
import time
from datetime import timedelta
from uuid import UUID

import structlog

from services.provisioner.known import KnownInstances
from services.provisioner.provider import Provider, ProviderError, Server
from services.provisioner.removal import Removal
from services.provisioner.settings import ProvisionerSettings
from services.provisioner.sweep import Sweep
from services.provisioner.undertaking import Overtaken, now
from shared.journal import Journal
from shared.lifecycle.errors import InstanceUnknown
from shared.lifecycle.events import InstanceCreated, ServerLost
from shared.lifecycle.instance import Instance
from shared.lifecycle.status import GONE, LIVE

log = structlog.get_logger()


class Reconcile:
    def __init__(
        self, journal: Journal, provider: Provider, known: KnownInstances, settings: ProvisionerSettings
    ) -> None:
        self._journal = journal
        self._provider = provider
        self._known = known
        self._settings = settings
        self._sweep = Sweep(journal, provider, settings)
        self._missing_since: dict[str, float] = {}

    async def for_ever(self) -> None:
        """The owner cancels it."""
        while True:
            await asyncio.sleep(self._settings.reconcile_seconds)
            try:
                await self()
            except Exception:  # the loop's bound: the next round begins anew
                log.exception("reconciliation failed")

    async def __call__(self) -> None:
        """One round. Raises ProviderError when the provider cannot list, JournalUnavailable."""
        servers = await self._provider.tagged_servers()
        for server in servers:
            if server.instance_id is None:
                log.warning("a server of ours whose tags name no instance", server_id=server.id, zone=server.zone)
            else:
                await self._look_at(server, server.instance_id)
        listed = {server.id for server in servers}
        for instance_id in await self._known.ids():
            try:
                await self._look_for(instance_id, listed)
            except ProviderError as error:
                log.warning("not looked for", instance_id=str(instance_id), reason=str(error))

    async def _look_at(self, server: Server, instance_id: UUID) -> None:
        try:
            instance = await self._journal.load(instance_id)
        except InstanceUnknown:
            log.warning("a server of an unknown instance", server_id=server.id, instance_id=str(instance_id))
            return
        if not self._left_over(instance, server):
            return
        log.info("removing a server that nobody owns", server_id=server.id, instance_id=str(instance_id))
        try:
            await self._remove(server, instance_id)
        except Overtaken:
            log.info("it has an owner after all", server_id=server.id, instance_id=str(instance_id))
        except ProviderError as error:
            log.warning("not removed", server_id=server.id, instance_id=str(instance_id), reason=str(error))

    def _left_over(self, instance: Instance, server: Server) -> bool:
        """Of an instance that has ended and been released, or another server than the one that claimed a live one."""
        if instance.status in GONE or instance.resources.released:
            settled = timedelta(seconds=self._settings.settle_seconds)
            return instance.ended_at is None or now() > instance.ended_at + settled
        return instance.resources.server_id not in {None, server.id}

    async def _remove(self, server: Server, instance_id: UUID) -> None:
        """Its id is recorded first: on an ended instance, that alone has it released with everything around it."""

        async def guard() -> Instance:
            instance = await self._journal.load(instance_id)
            ended = instance.status in GONE or instance.resources.released
            if server.id == instance.resources.server_id and not ended:
                raise Overtaken
            return instance

        await self._journal.record(
            InstanceCreated(
                instance_id=instance_id,
                occurred_at=now(),
                server_id=server.id,
                zone=server.zone,
                instance_type=server.instance_type,
            )
        )
        removal = Removal(self._provider, self._settings, instance_id, guard, self._journal.record, asyncio.sleep)
        await removal.server(server.zone, server.id)
        for volume in (await guard()).resources.volumes:
            if volume.server_id == server.id:
                await removal.volume(server.zone, volume.id)

    async def _look_for(self, instance_id: UUID, listed: set[str]) -> None:
        """A server is lost when two gets by its id, a while apart, say that it does not exist."""
        instance = await self._journal.load(instance_id)
        server_id, zone = instance.resources.server_id, instance.zone
        if await self._sweep(instance):
            self._known.forget(instance_id)
        if server_id is None or zone is None:
            return
        there = server_id in listed or instance.status not in LIVE
        if there or await self._provider.get_server(zone, server_id) is not None:
            self._missing_since.pop(server_id, None)
            return
        since = self._missing_since.setdefault(server_id, time.monotonic())
        if time.monotonic() - since >= self._settings.lost_after_seconds:
            await self._journal.record(ServerLost(instance_id=instance_id, occurred_at=now(), server_id=server_id))
            del self._missing_since[server_id]
