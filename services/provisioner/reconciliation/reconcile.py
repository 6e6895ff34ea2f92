"""Compares one provider with the journal, every minute and on demand: deletes orphans, and records lost servers."""

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Final
from uuid import UUID

import structlog
from prometheus_client import Counter, Gauge

from services.provisioner.action_context import LONGEST_TEXT, now
from services.provisioner.provider import Provider, Server
from services.provisioner.reconciliation.context import ReconciliationContext, asked, guarded
from services.provisioner.reconciliation.hand_over import HandOver
from services.provisioner.reconciliation.known import KnownInstances
from services.provisioner.reconciliation.lifetimes import end_when_due
from services.provisioner.reconciliation.machine_images import StoredImages
from services.provisioner.reconciliation.orphans import Orphans
from services.provisioner.reconciliation.ownership import LEFT_OVER, Ownership
from services.provisioner.reconciliation.results import (
    Ended,
    ImageStored,
    Owned,
    RuleFailed,
    RuleResult,
    RuleResults,
    ServersListed,
    Unreadable,
    of_type,
    owned_by,
    report_of,
    still_unknown,
)
from services.provisioner.reconciliation.second_volumes import SecondVolumes
from services.provisioner.reconciliation.server_changes import ServerChanges
from services.provisioner.reconciliation.unknown_orphans import remove_unknown
from services.provisioner.settings import ProvisionerSettings
from shared.bus.reader import ReadingInterrupted
from shared.journal.errors import JournalUnavailable
from shared.journal.journal import Journal
from shared.lifecycle.errors import InstanceUnknown
from shared.lifecycle.status import GONE
from shared.reconciliation import Foreign, Kind, Removed, Report, Unknown

_unknown: Final = Gauge(
    "coldstart_unknown_resources", "At the provider, of no instance that we know", ["provider", "kind"]
)
_foreign: Final = Gauge(
    "coldstart_foreign_servers", "At the provider, with the tag of another installation of Coldstart", ["provider"]
)

_removed: Final = Counter(
    "coldstart_reconciliation_removed_total", "Resources that reconciliation took away", ["provider", "kind"]
)

log = structlog.get_logger()


class Reconcile:
    """Uses only those `known` instances that belong to this provider. Two calls of one object never overlap."""

    def __init__(
        self,
        journal: Journal,
        provider: Provider,
        known: KnownInstances,
        settings: ProvisionerSettings,
        *,
        hand_over: HandOver | None = None,
        clock: Callable[[], datetime] = now,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._context = ReconciliationContext(journal, provider, settings, clock)
        self._provider = provider
        self._known = known
        self._hand_over = hand_over
        self._server_changes = ServerChanges(settings.lost_after_seconds, monotonic)
        self._second_volumes = SecondVolumes()
        self._machine_images = StoredImages(monotonic)
        self._of_others = set[UUID]()
        self._logged = set[str]()
        self._one_at_a_time = asyncio.Lock()

    async def for_ever(self) -> None:
        """The owner cancels it."""
        while True:
            await asyncio.sleep(self._context.settings.reconcile_seconds)
            try:
                await self()
            except Exception:  # the loop's bound: the next one starts again
                log.exception("reconciliation failed")

    async def __call__(self, *, delete_unknown: bool = False) -> Report:
        """Reconcile once, after the one that may be running. Errors are in the report."""
        async with self._one_at_a_time:
            began_at, results = self._context.clock(), list[RuleResult]()
            try:
                await self._look_at_all(results, delete_unknown=delete_unknown)
            except (JournalUnavailable, ReadingInterrupted) as error:
                self._add(results, RuleFailed(f"the journal: {error}"[:LONGEST_TEXT]))
        return report_of(self._provider.name, began_at, self._context.clock(), results)

    async def _look_at_all(self, results: list[RuleResult], *, delete_unknown: bool) -> None:
        servers = await asked("list of servers", self._provider.tagged_servers)
        if isinstance(servers, RuleFailed):
            self._add(results, servers)
        listed = None if isinstance(servers, RuleFailed) else servers
        await self._collect(results, self._known_instances(listed))
        if self._hand_over:
            await self._hand_over(owned.instance for owned in of_type(Owned, results))
        if listed is None:
            return
        self._add(results, ServersListed(len(listed)))
        ownership = Ownership.of(results)
        orphans = Orphans(self._context, ownership)
        await self._collect(results, orphans.servers(listed))
        resources = await asked(
            "list of volumes, disk snapshots, addresses and security groups", self._provider.tagged_resources
        )
        if isinstance(resources, RuleFailed):
            self._add(results, resources)
        if resources is None or isinstance(resources, RuleFailed):
            return
        await self._collect(results, orphans.others(resources))
        await self._collect(results, self._machine_images(self._context, tuple(results)))
        await self._collect(results, self._leftover_volumes(ownership))
        if delete_unknown:
            unknown = still_unknown(results)
            await self._collect(results, remove_unknown(self._context, ownership, unknown))
        await self._collect(results, self._foreign_servers())
        self._show(results)

    async def _collect(self, results: list[RuleResult], more: RuleResults) -> None:
        async for result in more:
            self._add(results, result)

    def _add(self, results: list[RuleResult], result: RuleResult) -> None:
        """Also logs and counts it at once, since a long removal of another resource may follow."""
        results.append(result)
        match result:
            case Removed():
                removed = result.model_dump(mode="json")
                log.info("resource removed", provider=self._provider.name, resource_id=removed.pop("id"), **removed)
                _removed.labels(self._provider.name, result.kind).inc()
            case RuleFailed():
                log.warning("reconciliation rule failed", provider=self._provider.name, reason=result.message)

    async def _leftover_volumes(self, ownership: Ownership) -> RuleResults:
        found = await asked("list of leftover volumes", self._provider.leftover_volumes)
        if isinstance(found, RuleFailed):
            yield found
            return
        for volume in found or ():
            if volume.id not in ownership.owners:
                yield Unknown(kind=volume.kind, id=volume.id, zone=volume.zone, instance_id=None, hint=LEFT_OVER)

    async def _foreign_servers(self) -> RuleResults:
        foreign = await asked("list of other installations' servers", self._provider.foreign_servers)
        if isinstance(foreign, RuleFailed):
            yield foreign
            return
        for server in foreign or ():
            yield server
        _foreign.labels(self._provider.name).set(len(foreign or ()))

    async def _known_instances(self, servers: Sequence[Server] | None) -> RuleResults:
        """If there is no list, the provider is in trouble; then it is not asked for single servers either."""
        listed = None if servers is None else {server.id: server for server in servers}
        for instance_id in await self._known.ids():
            if instance_id not in self._of_others:
                async for result in guarded(f"instance {instance_id}", self._known_instance(instance_id, listed)):
                    yield result

    async def _known_instance(self, instance_id: UUID, listed: Mapping[str, Server] | None) -> RuleResults:
        try:
            instance = await self._context.journal.load(instance_id, at_least=1)
        except InstanceUnknown:
            yield Unreadable(instance_id)
            yield RuleFailed(f"instance {instance_id}: none of its events can be read")
            return
        if instance.specification.provider != self._provider.name:
            self._of_others.add(instance_id)
            return
        image = instance.stored_image
        if image is not None and image.deleted_at is None:
            yield ImageStored(instance)
        if instance.status in GONE or instance.resources.released:
            yield Ended(instance)
            if image is None or image.deleted_at is not None:
                self._known.forget(instance_id)
            return
        yield owned_by(instance)
        instance, expired = await end_when_due(self._context, instance)
        if expired is not None:
            yield expired
        if listed is not None:
            async for change in self._server_changes(self._context, instance, listed):
                yield change
            await self._second_volumes.delete(self._context, instance, listed)

    def _show(self, results: Sequence[RuleResult]) -> None:
        """Sets the metrics, and logs what is new."""
        every_unknown, every_foreign = still_unknown(results), of_type(Foreign, results)
        for kind in Kind:
            _unknown.labels(self._provider.name, kind).set(sum(unknown.kind is kind for unknown in every_unknown))
        logged = self._logged
        self._logged = {unknown.id for unknown in every_unknown} | {foreign.id for foreign in every_foreign}
        for unknown in every_unknown:
            if unknown.id not in logged:
                log.warning("unknown resource", provider=self._provider.name, **unknown.model_dump(mode="json"))
        for foreign in every_foreign:
            if foreign.id not in logged:
                shown = foreign.model_dump(mode="json")
                log.warning("server of another installation", provider=self._provider.name, **shown)
