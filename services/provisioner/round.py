"""One round of reconciliation with one provider: what it works with, and what it has found."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final
from uuid import UUID

import structlog
from prometheus_client import Counter

from services.provisioner.action_context import LONGEST_TEXT, Overtaken
from services.provisioner.provider import Provider, ProviderError
from services.provisioner.settings import ProvisionerSettings
from shared.journal.journal import Journal, JournalUnavailable
from shared.lifecycle.instance import Instance
from shared.reconciliation import Foreign, Removed, Report, Unknown

AT_ONCE: Final = 10
"""Each removal waits for minutes, mostly: one after the other, a hundred of them would keep the next round waiting."""

_removed: Final = Counter(
    "coldstart_reconciliation_removed_total", "Resources that reconciliation took away", ["provider", "kind"]
)

log = structlog.get_logger()


@dataclass
class Round:
    """`owned`: on which unreleased instance's record an id is; `unreadable`: whose events this version cannot read."""

    journal: Journal
    provider: Provider
    settings: ProvisionerSettings
    clock: Callable[[], datetime]
    began_at: datetime = field(init=False)
    owned: dict[str, UUID] = field(default_factory=dict)
    unreadable: set[UUID] = field(default_factory=set)
    servers: int = 0
    removed: list[Removed] = field(default_factory=list)
    unknown: list[Unknown] = field(default_factory=list)
    foreign: list[Foreign] = field(default_factory=list)
    lost: list[UUID] = field(default_factory=list)
    stopped: list[UUID] = field(default_factory=list)
    restarted: list[UUID] = field(default_factory=list)
    readdressed: list[UUID] = field(default_factory=list)
    expired: list[UUID] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.began_at = self.clock()

    @contextmanager
    def noting(self, what: str) -> Iterator[None]:
        """What goes wrong with one resource is an error of the round, and keeps nobody from the next one.

        Without a journal there is no round: raises JournalUnavailable.
        """
        try:
            yield
        except JournalUnavailable:
            raise
        except Overtaken:
            log.info("overtaken", what=what)
        except ProviderError as error:
            self.note(f"{what}: {error}")
        except Exception as error:
            log.exception("reconciliation surprised", what=what)
            self.note(f"{what}: {type(error).__name__}: {error}")

    async def do(self, works: Iterable[Callable[[], Awaitable[None]]]) -> None:
        """All of them, some at once. Raises what one of them raises, which ends the others."""
        room = asyncio.Semaphore(AT_ONCE)

        async def one(work: Callable[[], Awaitable[None]]) -> None:
            async with room:
                await work()

        try:
            async with asyncio.TaskGroup() as group:
                for work in works:
                    group.create_task(one(work))
        except BaseExceptionGroup as errors:
            raise errors.exceptions[0] from None

    def note(self, error: str) -> None:
        log.warning("not reconciled", provider=self.provider.name, reason=error)
        self.errors.append(error[:LONGEST_TEXT])

    def remove(self, removed: Removed) -> None:
        """Say that it is gone, or going: in the report, the log and the metrics."""
        told = removed.model_dump(mode="json")
        log.info("removed", provider=self.provider.name, resource_id=told.pop("id"), **told)
        _removed.labels(self.provider.name, removed.kind).inc()
        self.removed.append(removed)

    def own(self, instance: Instance) -> None:
        resources = instance.resources
        ids = (resources.server_id, resources.address_id, *resources.duplicate_server_ids)
        volumes = (volume.id for volume in resources.volumes)
        for resource_id in (*ids, *volumes, *resources.security_group_ids):
            if resource_id is not None:
                self.owned[resource_id] = instance.id

    def report(self) -> Report:
        return Report(
            provider=self.provider.name,
            began_at=self.began_at,
            ended_at=self.clock(),
            servers=self.servers,
            removed=tuple(self.removed),
            unknown=tuple(self.unknown),
            foreign=tuple(self.foreign),
            lost=tuple(self.lost),
            stopped=tuple(self.stopped),
            restarted=tuple(self.restarted),
            readdressed=tuple(self.readdressed),
            expired=tuple(self.expired),
            errors=tuple(self.errors),
        )
