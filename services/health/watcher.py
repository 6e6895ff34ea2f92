"""Runs a watch for as long as its attempt needs it: looks, records what that shows, waits, looks again."""

import asyncio
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Final

import structlog
from prometheus_client import Counter, Histogram

from services.health.deadlines import pause
from services.health.load_follower import LoadFollower
from services.health.look import Chain, chains, learned, milestones, spoken
from services.health.memory import Memory, remembered, silent, voided
from services.health.probes import Failed, Outcome, Passed, Probe, Prober, Target
from services.health.settings import HealthSettings
from services.health.sight import Sight
from services.health.watch import must_be_watched, verdict
from services.health.worker_causes import cause_of
from services.health.worker_ends import after_end
from services.health.worker_http import Line
from services.health.worker_log import WorkerEnd, WorkerLog
from services.health.worker_metrics import tell_of, workers
from shared.bus.lease import Lease, LeaseLost
from shared.bus.pause import Pause
from shared.bus.reloads import Reloads
from shared.bus.updates import Updates
from shared.clock import CLOCK
from shared.host_keys import accepted_host_keys
from shared.journal.journal import Journal
from shared.journal.recorded import Recorded
from shared.lifecycle.events import (
    Event,
    HealthLost,
    InstanceFailed,
    ReinstallRequested,
    SshInstallCompleted,
    StartupFailed,
)
from shared.lifecycle.instance import Instance
from shared.plain_text import plain_line, shortened
from shared.secrets import Secrets
from shared.worker_tls import WorkerTls

log = structlog.get_logger()
_surprises: Final = Counter(
    "coldstart_health_surprises_total", "Probes that met what nobody foresaw; each counts as a failed one", ["probe"]
)

_late: Final = Histogram(
    "coldstart_health_look_lateness_seconds",
    "How much later than planned a look begins",
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0),
)

Clock = Callable[[], datetime]
LONGEST_LINE: Final = 500
"""The most characters of one of the worker's lines in an event, so that the event fits into a message."""


def utc_now() -> datetime:
    return CLOCK.now()


@dataclass(frozen=True)
class Watcher:
    """Shared by all watches of a process."""

    journal: Journal
    prober: Prober
    worker_log: WorkerLog
    secrets: Secrets
    updates: Updates[Instance]
    reloads: Reloads
    sight: Sight
    settings: HealthSettings
    now: Clock = utc_now

    async def watch(self, recorded: Recorded, lease: Lease) -> None:
        """Watch the attempt that `recorded` names; returns when no watch is needed any more. Raises LeaseLost."""
        event = recorded.event
        attempt = event.attempt if isinstance(event, ReinstallRequested) else recorded.instance.attempt
        api_key = self.secrets.worker_api_key(recorded.instance.id, attempt)
        tls, memory = WorkerTls(self.secrets, recorded.instance.id, attempt), Memory(recorded.instance.status)
        watch = _Watch(self, recorded, lease, attempt, api_key, tls, recorded.instance, memory)
        with self.updates.subscribed(recorded.instance.id, watch.updated):
            try:
                await watch.keep()
            finally:
                self.sight.forget(recorded.instance.id)
                workers.forget(recorded.instance.id)


@dataclass
class _Watch:
    """The watch of one held message. `instance` is the newest known version."""

    service: Watcher
    trigger: Recorded
    lease: Lease
    attempt: int
    api_key: str = field(repr=False)
    tls: WorkerTls = field(repr=False)
    instance: Instance
    memory: Memory
    reload_at: float = 0.0
    doubted: bool = False
    """Whether the last look counts for nothing."""
    reported: set[tuple[Probe, str]] = field(default_factory=set)
    line: Line = field(default_factory=Line, repr=False)
    place: tuple[str, bool] = ("", False)
    """Where the line leads to: the address, and whether it is secured by TLS."""
    pause: Pause = field(init=False, repr=False)

    def __post_init__(self) -> None:
        self.pause = Pause(self.lease)

    async def keep(self) -> None:
        await self._reload()
        load_follower = LoadFollower(
            self.service.worker_log,
            self.service.secrets,
            self.service.settings.log_retry_seconds,
            self.service.now,
            self._record,
            self._ended,
        )
        with load_follower.following(), closing(self.line):
            while must_be_watched(self.instance, self.attempt):
                load_follower.know(self.instance)
                await self._look()
                await self._judge()
                await self._pause()
                if self.reload_at <= _now():
                    await self._reload()

    def updated(self, instance: Instance | None) -> None:
        """The instance has changed, or may have."""
        if instance is not None and instance.version <= self.instance.version:
            return
        self.instance = instance or self.instance
        self.reload_at = 0.0
        self.pause.cut_short()

    def _ended(self, end: WorkerEnd) -> None:
        before = self.memory.ends
        if before is None or end.at != before.last:
            finding = cause_of(end.lines, end.exit_code).printable(self._printable)
            self.memory = replace(self.memory, ends=after_end(before, finding, end, self.service.now()))

    def _printable(self, line: str) -> str:
        words = self.service.secrets.redact(plain_line(line), self.instance.id, self.attempt)
        return shortened(words, LONGEST_LINE)

    async def _look(self) -> None:
        self.lease.check()
        instance, outcomes, lost, began = self.instance, dict[Probe, Outcome](), False, _now()
        try:
            async with asyncio.TaskGroup() as group:
                counts = self._counts_due()
                for chain in chains(instance, models=counts or self.memory.failures > 0, counts=counts):
                    group.create_task(self._follow(chain, instance, outcomes))
        except* LeaseLost:
            lost = True
        if lost:
            raise LeaseLost
        self._remember(instance, outcomes, began)

    def _remember(self, instance: Instance, outcomes: Mapping[Probe, Outcome], began: float) -> None:
        sight, unanswered = self.service.sight, silent(outcomes)
        self.doubted = unanswered and (late_s := sight.late_s(began)) > 0
        if self.doubted:
            sight.void()
            self.memory = voided(self.memory, instance, late_s)
            return
        if outcomes:
            sight.saw(instance.id, instance.status, silent=unanswered)
        self.memory = remembered(self.memory, instance, outcomes, self.service.now())

    def _counts_due(self) -> bool:
        counted_at, period_s = self.memory.counted_at, self.service.settings.counts_look_seconds
        return counted_at is None or (self.service.now() - counted_at).total_seconds() >= period_s

    async def _follow(self, chain: Chain, instance: Instance, outcomes: dict[Probe, Outcome]) -> None:
        """Probe in order until one fails, and record at once what each outcome shows."""
        await self._probe(chain, self._target(instance), instance, outcomes)

    def _target(self, instance: Instance) -> Target:
        specification, tls = instance.specification, self._tls(instance)
        place = (instance.ip_address or "", tls is not None)
        if place != self.place:
            self.line.close()
            self.place = place
        return Target(place[0], specification.model, specification.task, self.api_key, tls, self.line)

    async def _probe(self, chain: Chain, target: Target, instance: Instance, outcomes: dict[Probe, Outcome]) -> None:
        for probe in chain:
            outcome = await self._ask(probe, target)
            outcomes[probe] = outcome
            tell_of(instance, probe, outcome)
            for milestone in milestones(instance, probe, outcome):
                if not self.instance.reached(milestone):
                    at, fields = self.service.now(), learned(milestone, outcome)
                    await self._record(
                        milestone(instance_id=instance.id, occurred_at=at, attempt=self.attempt, **fields)
                    )
            if not isinstance(outcome, Passed):
                return

    def _tls(self, instance: Instance) -> WorkerTls | None:
        return self.tls if spoken(instance, self.service.settings.worker_tls) == "mutual" else None

    async def _ask(self, probe: Probe, target: Target) -> Outcome:
        """Every error of the prober is an outcome: if it ended the watch, no deadline would ever be judged again.

        An unexpected one is logged with its traceback once per watch, since a worker may cause it with every answer.
        """
        try:
            return await self.service.prober.probe(probe, target)
        except Exception as error:
            kind = type(error).__name__
            _surprises.labels(probe).inc()
            if (probe, kind) not in self.reported:
                self.reported.add((probe, kind))
                log.exception("probe failed unexpectedly", instance_id=str(self.instance.id), probe=probe)
            return Failed(f"an answer that nobody foresaw ({kind})")

    async def _judge(self) -> None:
        event = self._verdict()
        if event is None:
            return
        if isinstance(event, HealthLost | StartupFailed | InstanceFailed) and await self._container_is_down():
            event = self._verdict() or event
        if must_be_watched(self.instance, self.attempt):
            await self._record(event)
            self._log(event)

    def _log(self, event: Event) -> None:
        """One line for people of whatever went wrong."""
        told = {"instance_id": str(event.instance_id), "instance": self.instance.specification.name}
        if isinstance(event, StartupFailed | InstanceFailed):
            log.error("instance failed", **told, code=event.code, reason=event.message)
        elif isinstance(event, HealthLost):
            log.warning("instance unavailable", **told, reason=event.reason)

    def _verdict(self) -> Event | None:
        began_at = self.trigger.recorded_at
        in_doubt = self.doubted or self.service.sight.in_doubt
        settings, now = self.service.settings, self.service.now()
        return verdict(self.instance, self.memory, began_at, now, settings, in_doubt=in_doubt)

    async def _container_is_down(self) -> bool:
        """Whether it is known to be down; then that is among what was seen last."""
        instance, keys = self.instance, accepted_host_keys(self.service.secrets, self.instance)
        if instance.ip_address is None or not instance.reached(SshInstallCompleted):
            return False
        told = await self.service.worker_log.container(instance.ip_address, keys)
        if told is not None:
            self.memory = replace(self.memory, last_seen=f"{self.memory.last_seen}; {told}")
        return told is not None

    async def _record(self, event: Event) -> Instance:
        self._know(await self.service.journal.record(event, cause=self.trigger, check=self.lease.check))
        return self.instance

    async def _pause(self) -> None:
        """Wait for the next look, or less if an event arrives. Raises LeaseLost."""
        seconds = pause(self.instance, self.memory, self.trigger.recorded_at, self.service.now(), self.service.settings)
        seconds = max(0.0, min(seconds, self.reload_at - _now()))
        planned = _now() + seconds
        if await self.pause.wait(seconds):
            _late.observe(_now() - planned)

    async def _reload(self) -> None:
        """Without an answer the watch continues with what it knows, for as long as its lease allows."""
        self.reload_at = self.service.reloads.next_at()
        instance = await self.service.reloads.read(lambda: self.service.journal.load(self.instance.id))
        if instance is not None:
            self._know(instance)

    def _know(self, instance: Instance) -> None:
        """A lagging replica may answer with an older version than one seen before."""
        if instance.version > self.instance.version:
            self.instance = instance


def _now() -> float:
    return asyncio.get_running_loop().time()
