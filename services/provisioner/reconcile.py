"""Every minute and on demand, one provider against the journal: what nobody owns goes, what is gone is said."""

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Final
from uuid import UUID

import structlog
from prometheus_client import Gauge

from services.provisioner.action_context import now
from services.provisioner.disowned import remove_unknown
from services.provisioner.known import KnownInstances
from services.provisioner.left_over import LeftOver
from services.provisioner.lifetimes import end_when_due
from services.provisioner.provider import Provider, Server
from services.provisioner.round import Round
from services.provisioner.server_news import ServerNews
from services.provisioner.settings import ProvisionerSettings
from shared.bus.reader import ReadingInterrupted
from shared.journal.journal import Journal, JournalUnavailable
from shared.lifecycle.errors import InstanceUnknown
from shared.lifecycle.instance import Instance
from shared.lifecycle.status import GONE
from shared.reconciliation import Kind, Report

_unknown: Final = Gauge(
    "coldstart_unknown_resources", "At the provider, with our tag, of no instance that we know", ["provider", "kind"]
)
_foreign: Final = Gauge(
    "coldstart_foreign_servers", "At the provider, with the tag of another installation of Coldstart", ["provider"]
)

log = structlog.get_logger()


class Reconcile:
    """Of `known`, only instances that were requested of this provider. Rounds of one object never overlap."""

    def __init__(
        self,
        journal: Journal,
        provider: Provider,
        known: KnownInstances,
        settings: ProvisionerSettings,
        *,
        clock: Callable[[], datetime] = now,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._journal = journal
        self._provider = provider
        self._known = known
        self._settings = settings
        self._clock = clock
        self._server_news = ServerNews(settings.lost_after_seconds, monotonic)
        self._of_others = set[UUID]()
        self._told_of = set[str]()
        self._one_at_a_time = asyncio.Lock()

    async def for_ever(self) -> None:
        """The owner cancels it."""
        while True:
            await asyncio.sleep(self._settings.reconcile_seconds)
            try:
                await self()
            except Exception:  # the loop's bound: the next round begins anew
                log.exception("reconciliation failed")

    async def __call__(self, *, delete_unknown: bool = False) -> Report:
        """One round, after the one that may be running. What went wrong is in its report."""
        async with self._one_at_a_time:
            this = Round(self._journal, self._provider, self._settings, self._clock)
            try:
                await self._look_at_all(this, delete_unknown=delete_unknown)
            except (JournalUnavailable, ReadingInterrupted) as error:
                this.note(f"the journal: {error}")
        return this.report()

    async def _look_at_all(self, this: Round, *, delete_unknown: bool) -> None:
        servers = resources = None
        with this.noting("list of servers"):
            servers = await self._provider.tagged_servers()
        await self._look_for_known(this, servers)
        if servers is None:
            return
        this.servers = len(servers)
        left_over = LeftOver(this)
        await left_over.servers(servers)
        with this.noting("list of volumes, addresses and security groups"):
            resources = await self._provider.tagged_resources()
        if resources is None:
            return
        await left_over.others(resources)
        if delete_unknown:
            await remove_unknown(this)
        with this.noting("list of other installations' servers"):
            this.foreign.extend(await self._provider.foreign_servers())
            _foreign.labels(self._provider.name).set(len(this.foreign))
        self._show(this)

    async def _look_for_known(self, this: Round, servers: Sequence[Server] | None) -> None:
        """Without a list the provider is in trouble, and is not asked for each of them either."""
        listed = None if servers is None else {server.id: server for server in servers}
        for instance_id in await self._known.ids():
            if instance_id in self._of_others:
                continue
            with this.noting(f"instance {instance_id}"):
                try:
                    instance = await self._journal.load(instance_id)
                except InstanceUnknown:
                    this.unreadable.add(instance_id)
                    this.note(f"instance {instance_id}: none of its events can be read")
                    continue
                await self._look_for(this, instance, listed)

    async def _look_for(self, this: Round, instance: Instance, listed: Mapping[str, Server] | None) -> None:
        if instance.specification.provider != self._provider.name:
            self._of_others.add(instance.id)
            return
        if instance.status in GONE or instance.resources.released:
            self._known.forget(instance.id)
            return
        this.own(instance)
        instance = await end_when_due(this, instance)
        if listed is not None:
            await self._server_news(this, instance, listed)

    def _show(self, this: Round) -> None:
        """In the metrics, and what was not known before in the log."""
        for kind in Kind:
            number = sum(unknown.kind is kind for unknown in this.unknown)
            _unknown.labels(self._provider.name, kind).set(number)
        told = self._told_of
        self._told_of = {unknown.id for unknown in this.unknown} | {foreign.id for foreign in this.foreign}
        for unknown in this.unknown:
            if unknown.id not in told:
                log.warning("unknown resource", provider=self._provider.name, **unknown.model_dump(mode="json"))
        for foreign in this.foreign:
            if foreign.id not in told:
                shown = foreign.model_dump(mode="json")
                log.warning("server of another installation", provider=self._provider.name, **shown)
