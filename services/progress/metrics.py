"""What the leading projector tells of the fleet, of launches and of its own lag; a standby tells nothing of them."""

import asyncio
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager, suppress
from datetime import datetime, timedelta
from typing import Any, Final, NoReturn

import structlog
from nats.aio.client import Client
from prometheus_client import Counter, Gauge, Histogram

from services.progress.projection import Batch
from services.progress.statements import sql
from shared.bus.pending import pending
from shared.bus.reader import ReadingInterrupted, stream_state
from shared.clock import CLOCK
from shared.deployments.deployment import DeploymentStatus
from shared.lifecycle.events import InstanceReady, MachineImageStored, ProvisioningFailed, StartupFailed
from shared.lifecycle.progress import LABELS
from shared.lifecycle.status import GONE, Status
from shared.postgres.connection import DATABASE_ERRORS, Connection, connecting

HISTORY: Final = timedelta(hours=1)
"""What was recorded so long ago is projected, but is no launch of today: a read model is made anew from years."""
CONSUMER: Final = "progress"

_SECONDS: Final = (0.5, 1, 2.5, 5, 10, 20, 30, 45, 60, 90, 120, 180, 300, 450, 600, 900, 1200, 1800, 3600)
_steps: Final = Histogram(
    "coldstart_launch_step_duration_seconds",
    "Duration of the steps of launches, by the event that began the step",
    ["step"],
    buckets=_SECONDS,
)
_launches: Final = Histogram(
    "coldstart_launch_duration_seconds",
    "From the request, or the reinstall, until the instance was ready",
    buckets=_SECONDS,
)
_over: Final = Counter(
    "coldstart_launches_total", "Launches and reinstalls that became ready or failed, by outcome", ["outcome"]
)
_delay: Final = Histogram(
    "coldstart_projection_delay_seconds",
    "From the storing of an event in the stream until it can be read in the read model",
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 1800),
)
_leader: Final = Gauge("coldstart_projection_leader", "1 for the process that writes the read model, else 0")
_instances: Final = Gauge(
    "coldstart_instances", "Instances by status; terminated and archived ones are left out", ["status"]
)
_deployments: Final = Gauge("coldstart_deployments", "Deployments by status; deleted ones are left out", ["status"])
_wanted: Final = Gauge(
    "coldstart_deployment_replicas_wanted", "Replicas that the deployments of a status want", ["status"]
)
_cost: Final = Gauge("coldstart_cost_per_hour", "List price of one hour of all servers that are on", ["currency"])

_OUTCOMES: Final[Mapping[str, str]] = {
    InstanceReady.type(): "ready",
    ProvisioningFailed.type(): "provisioning_failed",
    StartupFailed.type(): "startup_failed",
}
_STEPS: Final = frozenset(LABELS) - {InstanceReady.type(), MachineImageStored.type()}
_COUNTED: Final = [str(status) for status in Status if status not in GONE]
_KEPT: Final = [str(status) for status in DeploymentStatus if status is not DeploymentStatus.DELETED]

log = structlog.get_logger()


class ProjectionMetrics:
    """Of one leadership. `after`: the sequence that the read model has reached."""

    def __init__(self, connection: Client, database_url: str, after: int) -> None:
        self._connection = connection
        self._url = database_url
        self._reached = after

    def step_ended(self, step: str, began_at: datetime, ended_at: datetime) -> None:
        """A step of a launch has ended, as the read model has computed it."""
        if step in _STEPS and _is_recent(ended_at):
            _steps.labels(step).observe((ended_at - began_at).total_seconds())

    def stored(self, batch: Batch) -> None:
        """These events can be read now."""
        self._reached = batch.messages[-1].metadata.sequence.stream
        now = CLOCK.now()
        for row in batch.rows.timeline:
            _delay.observe(max(0.0, (now - row.recorded_at).total_seconds()))
            if (outcome := _OUTCOMES.get(row.type)) is not None and _is_recent(row.recorded_at):
                _over.labels(outcome).inc()
                latest = batch.rows.latest(row.instance_id)
                if outcome == "ready" and latest is not None:
                    _launches.observe((row.occurred_at - latest.instance.attempt_started_at).total_seconds())

    async def run(self, every_s: float) -> NoReturn:
        """Count the fleet, and what is not projected yet. The owner cancels it."""
        while True:
            try:
                await self.count()
            except (ReadingInterrupted, *DATABASE_ERRORS) as error:
                log.warning("fleet not counted", reason=repr(error))
            await asyncio.sleep(every_s)

    async def count(self) -> None:
        """Raises ReadingInterrupted and what PostgreSQL raises."""
        stream = await stream_state(self._connection)
        pending.labels(CONSUMER).set(max(0, stream.last_sequence - self._reached))
        async with connecting(self._url, name="coldstart progress metrics") as database:
            await _count_fleet(database)


async def _count_fleet(database: Connection) -> None:
    rows = await database.fetch(sql("count_instances"), _COUNTED)
    _set(_instances, dict.fromkeys(_COUNTED, 0) | {row["status"]: row["instances"] for row in rows})
    rows = await database.fetch(sql("count_deployments"), _KEPT)
    _set(_deployments, dict.fromkeys(_KEPT, 0) | {row["status"]: row["deployments"] for row in rows})
    _set(_wanted, dict.fromkeys(_KEPT, 0) | {row["status"]: row["wanted"] for row in rows})
    rows = await database.fetch(sql("cost_per_hour"), _COUNTED)
    _set(_cost, {row["currency"]: row["price"] for row in rows})


def _set(gauge: Gauge, values: Mapping[str, Any]) -> None:
    gauge.clear()
    for label, value in values.items():
        gauge.labels(label).set(value)


def _is_recent(at: datetime) -> bool:
    return CLOCK.now() - at < HISTORY


@asynccontextmanager
async def leadership_metrics(metrics: ProjectionMetrics, *, every_s: float | None) -> AsyncGenerator[None]:
    """Lead while the block runs. `every_s`: how often to count the fleet; None where nobody asks for metrics."""
    counting = None if every_s is None else asyncio.create_task(metrics.run(every_s))
    _leader.set(1)
    try:
        yield
    finally:
        _leader.set(0)
        if counting is not None:
            counting.cancel()
        for gauge in (_instances, _deployments, _wanted, _cost):
            gauge.clear()
        with suppress(KeyError):
            pending.remove(CONSUMER)
