"""A watch in this process alone: a journal of one instance, and a clock that each question moves on."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

from services.health.probes import Prober
from services.health.settings import HealthSettings
from services.health.sight import Sight
from services.health.watcher import Watcher
from services.health.worker_log import LogUnavailable
from shared.bus.lease import Lease
from shared.bus.reloads import Reloads
from shared.bus.updates import Updates, instance_after
from shared.journal.journal import Journal
from shared.journal.recorded import Origin, Recorded
from shared.lifecycle import events as e
from shared.lifecycle.fold import evolve
from shared.lifecycle.instance import Instance
from shared.lifecycle.news import is_news
from shared.lifecycle.status import Status
from shared.secrets import Secrets
from tests.health.examples import SECRET, a_pace
from tests.lifecycle import facts as f
from tests.lifecycle import histories as h


class MemoryJournal(Journal):
    """Of one instance, in this process."""

    def __init__(self, instance: Instance, recorded: list[e.Event] | None = None) -> None:  # it has no connection
        self.instance = instance
        self.recorded = [] if recorded is None else recorded

    async def load(self, instance_id: UUID, *, at_least: int = 0, from_leader: bool = False) -> Instance:
        del instance_id, at_least, from_leader
        return self.instance

    async def record(
        self, fact: e.Event, *, cause: Recorded | None = None, check: Callable[[], None] | None = None
    ) -> Instance:
        del cause, check
        if is_news(self.instance, fact):
            self.recorded.append(fact)
            self.instance = evolve(self.instance, fact)
        return self.instance


class SilentLog:
    """Of a machine that lets nobody read it."""

    async def container(self, _address: str, _host_keys: Sequence[str]) -> str | None:
        return None

    async def follow(self, address: str, host_keys: Sequence[str]) -> AsyncGenerator[str]:
        raise LogUnavailable(address)
        yield str(host_keys)


class Kept:
    """A message that stays with its holder."""

    async def in_progress(self) -> None: ...
    async def nak(self, delay: float | None = None) -> None: ...


def hurried(**overrides: Any) -> HealthSettings:
    """A minute of patience with every status, of which each question to the clock below takes five seconds."""
    looks = dict.fromkeys(("startup_look_seconds", "ready_look_seconds", "draining_look_seconds"), 0.001)
    limits = dict.fromkeys(("startup_seconds", "unavailable_seconds", "drain_seconds"), 60.0)
    return a_pace(**(looks | limits | overrides))


async def watched(
    instance: Instance,
    prober: Prober,
    pace: HealthSettings,
    sight: Sight | None = None,
    recorded: list[e.Event] | None = None,
) -> MemoryJournal:
    """The journal once nobody needs to watch this instance any more."""
    journal, secrets, moment = MemoryJournal(instance, recorded), Secrets(SECRET), instance.status_since

    def now() -> datetime:
        nonlocal moment
        moment += timedelta(seconds=5)
        return moment

    watcher = Watcher(
        journal=journal,
        prober=prober,
        worker_log=SilentLog(),
        secrets=secrets,
        updates=Updates(instance_after),
        reloads=Reloads(pace.reload_seconds, pace.reloads_at_once),
        sight=sight or Sight(pace),
        settings=pace,
        now=now,
    )
    trigger = Recorded(uuid4(), f.ip_assigned(), instance, Origin("test"), 1, instance.status_since)
    lease = Lease(Kept(), redelivered=False, fence_s=60.0, clock=lambda: 0.0, confirmed_at=0.0)
    async with asyncio.timeout(120):
        await watcher.watch(trigger, lease)
    return journal


def here(status: Status) -> Instance:
    """One whose machine is this one."""
    return f.given(*h.IN_STATUS[status]).model_copy(update={"ip_address": "127.0.0.1"})
