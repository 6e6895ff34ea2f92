"""Acts for a deployment as long as it exists: looks, concludes, has replicas launched and ended, waits."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

import structlog
from nats.aio.client import Client
from prometheus_client import Counter, Histogram

from services.scaler.launch_requests import LaunchRequests
from services.scaler.loads import Loads
from services.scaler.look import pause_s, refused
from services.scaler.replicas import end_instance
from services.scaler.settings import ScalerSettings
from services.scaler.view import Sources, View
from shared import schedule
from shared.bus.lease import Lease
from shared.bus.pause import Pause
from shared.clock import CLOCK
from shared.deployments.deployment import Deployment
from shared.deployments.events import DeploymentDegraded, OfTheScaler
from shared.deployments.plan import plan
from shared.deployments.steps import Conclude, EndInstance, LaunchReplica, Step
from shared.journal.recorded import RecordedDeployment
from shared.launching import LaunchReply
from shared.lifecycle.status import Status

MOST_CONCLUSIONS: Final = 3_000
"""Of one look: each of some hundred replicas may be removed, replaced and added."""

_looks: Final = Counter("coldstart_scaler_looks_total", "Looks at deployments")
_conclusions: Final = Counter("coldstart_scaler_conclusions_total", "What was concluded of deployments", ["event"])
_look_seconds: Final = Histogram(
    "coldstart_scaler_look_seconds",
    "How long a look at a deployment takes, with what it concludes",
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0),
)

log = structlog.get_logger()


def utc_now() -> datetime:
    return CLOCK.now()


@dataclass(frozen=True)
class Scaler:
    """Shared by all deployments that a process holds."""

    connection: Client
    sources: Sources
    loads: Loads
    settings: ScalerSettings
    now: Callable[[], datetime] = utc_now

    async def scale(self, recorded: RecordedDeployment, lease: Lease) -> None:
        """Scale the deployment that `recorded` created, until it is over or was created again. Raises LeaseLost."""
        scaled = _ScaledDeployment(self, recorded, lease)
        with self.loads.listening(recorded.deployment.id, scaled):
            try:
                await scaled.keep()
            finally:
                await scaled.close()


class _ScaledDeployment:
    """One of them, for as long as its message is held."""

    def __init__(self, service: Scaler, trigger: RecordedDeployment, lease: Lease) -> None:
        self._service = service
        self._trigger = trigger
        self._lease = lease
        self._pause = Pause(lease)
        self._view = View(service.sources, trigger.deployment, self._pause.cut_short)
        self._launches = LaunchRequests(service.connection, service.settings, lease, self._answered)
        self._load = 0.0

    @property
    def _deployment(self) -> Deployment:
        return self._view.deployment

    async def keep(self) -> None:
        self._view.open()
        while True:
            await self._view.refresh()
            if self._is_over():
                return
            with _look_seconds.time():
                await self._look()
            await self._wait()

    async def close(self) -> None:
        self._view.close()
        await self._launches.close()

    @property
    def ready(self) -> int:
        return sum(instance.status is Status.READY for instance in self._view.instances.values())

    def heard(self, load: float) -> None:
        """Look at once if one more replica may be needed, while there is none, and when the last request has ended."""
        rise, ended = load - self._load, bool(self._load and not load)
        asleep = bool(load and not self._deployment.wanted)
        if ended or asleep or rise >= self._deployment.wish.scaling.target_in_flight:
            self._load = load
            self._pause.cut_short()

    def _is_over(self) -> bool:
        """One that was created again has a message of its own."""
        return self._deployment.over or self._deployment.created_at > self._trigger.deployment.created_at

    async def _look(self) -> None:
        """Conclude until nothing more follows, and then do what is to be done; nothing on a guess. Raises LeaseLost."""
        _looks.inc()
        for _ in range(MOST_CONCLUSIONS):
            self._lease.check()
            if not self._view.is_known:
                return
            self._launches.know(self._deployment)
            steps = self._steps()
            conclusion = next((step.event for step in steps if isinstance(step, Conclude)), None)
            if conclusion is None:
                await self._carry_out(steps)
                return
            await self._conclude(conclusion)
            await self._view.read_new()
        log.error("conclusions without end", deployment=self._deployment.name)

    def _steps(self) -> tuple[Step, ...]:
        now, deployment = self._service.now(), self._deployment
        if (refusal := refused(deployment, self._launches.refusal_of, now)) is not None:
            return (Conclude(refusal),)
        scaling, lead = deployment.wish.scaling, self._service.loads.lead(deployment.id)
        demand = self._service.loads.demand(deployment.id, scaling, lead, now)
        self._load = demand.in_flight + demand.held
        bounds = schedule.bounds(scaling, now, lead.p90_s)
        return plan(deployment, self._view.instances, demand, lead, bounds, now)

    async def _conclude(self, event: OfTheScaler) -> None:
        version = self._deployment.version
        deployment = await self._service.sources.deployments.record(event, cause=self._trigger, check=self._lease.check)
        self._view.know(deployment)
        _conclusions.labels(event.type()).inc()
        if isinstance(event, DeploymentDegraded) and deployment.version == version + 1:
            log.warning("deployment degraded", deployment=deployment.name, code=event.code, reason=event.message)

    async def _carry_out(self, steps: tuple[Step, ...]) -> None:
        for step in steps:
            self._lease.check()
            match step:
                case LaunchReplica(replica):
                    self._launches.begin(self._deployment.id, replica)
                case EndInstance(instance_id):
                    await self._end(instance_id)
                case Conclude():
                    pass

    async def _end(self, instance_id: UUID) -> None:
        instance = self._view.instances[instance_id]
        self._view.know_instance(await end_instance(self._service.sources.journal, instance, self._service.now()))

    def _answered(self, instance_id: UUID, reply: LaunchReply | None) -> None:
        """What was launched is read, in case its events are missed."""
        if reply is not None and reply.outcome == "launched":
            self._view.may_exist(instance_id)
        if reply is not None and reply.outcome == "unwanted":
            self._view.is_old()
        self._pause.cut_short()

    async def _wait(self) -> None:
        settings = self._service.settings
        seconds = pause_s(self._view.deployment, self._view.instances, self._load, settings, self._service.now())
        await self._pause.wait(max(0.0, min(seconds, self._view.due_in_s, self._launches.due_in_s)))
