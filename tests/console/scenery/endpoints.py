"""Deployments of the pictures' company: what they have decided, the load that made them, and their replicas."""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from math import sin
from typing import Any, Final
from uuid import UUID, uuid4

from shared.clock import CLOCK
from shared.deployments import events as e
from shared.deployments.events import deployment_id, replica_id
from shared.deployments.load import SLOT_S
from shared.lifecycle.wish import OfDeployment
from shared.load import SUBJECT, DeploymentLoad, LoadReport
from shared.postgres.connection import Pool
from tests.api.deployed import deployments
from tests.api.stage import Stage
from tests.console.scenery.kinds import CHAT, EMBEDDING, SMALL
from tests.console.scenery.lives import Lives, at_address, until_now
from tests.deployments import facts as d
from tests.deployments.recording import happened

SUPPORT: Final = "support"
MINUTE: Final = timedelta(minutes=1)


class _Past:
    """Facts of one deployment, each so many minutes before now."""

    def __init__(self, name: str, now: datetime, organization_id: UUID | None = None, **wish: Any) -> None:
        self.id, self.name, self.organization_id = deployment_id(name, organization_id), name, organization_id
        self._now = now
        fields: dict[str, Any] = {"instance_types": (), "zones": (), **wish}
        self._wish = d.a_wish(name=name, **fields).model_copy(update={"organization_id": organization_id})
        self.facts: list[e.DeploymentEvent] = []

    def created(self, ago: float) -> None:
        self.tell(d.deployment_created(wish=self._wish), ago)

    def scaled(self, ago: float, before: int, after: int, reason: str, message: str) -> None:
        self.tell(d.deployment_scaled(before=before, after=after, reason=reason, message=message), ago)

    def added(self, ago: float, ordinal: int, revision: int = 1, generation: int = 1) -> None:
        more = {"reason": "scaled" if revision == 1 else "rollout"}
        self.tell(d.replica_added(instance_id=self.replica(ordinal, revision, generation), revision=revision,
                                   ordinal=ordinal, generation=generation, **more), ago)  # fmt: skip

    def replaced(self, ago: float, ordinal: int, generation: int, code: str, message: str) -> None:
        places = {"former_instance_id": self.replica(ordinal, 1, generation - 1),
                  "instance_id": self.replica(ordinal, 1, generation)}  # fmt: skip
        self.tell(d.replica_replaced(ordinal=ordinal, generation=generation, code=code, message=message,
                                      not_before=self._now - ago * MINUTE, **places), ago)  # fmt: skip

    def replica(self, ordinal: int, revision: int = 1, generation: int = 1) -> UUID:
        return replica_id(self.id, revision, ordinal, generation)

    def tell(self, fact: e.DeploymentEvent, ago: float) -> None:
        at = {"deployment_id": self.id, "occurred_at": self._now - ago * MINUTE}
        self.facts.append(fact.model_copy(update=at))


async def deployed(stage: Stage, lives: Lives, now: datetime, organizations: dict[str, UUID], address: str) -> None:
    """One that follows its load, one at zero, and one that a limit holds back. Their workers are at `address`."""
    await _support(stage, lives, now, address)
    search = _Past("search", now, organizations["acme"], model=EMBEDDING, task="embed", max_replicas=2)
    search.created(9 * 60)
    search.scaled(95, 0, 1, "woken", "a request came while there was none")
    search.added(95, 0)
    search.scaled(31, 1, 0, "idle", "no request for 15 minutes")
    search.tell(d.replica_removed(instance_id=search.replica(0), reason="scaled"), 31)
    search.tell(d.replica_ended(instance_id=search.replica(0)), 30)
    await happened(deployments(stage), *search.facts)
    tickets = _Past("tickets", now, organizations["vision-lab"], model=SMALL, min_replicas=2, max_replicas=6)
    tickets.created(40)
    tickets.scaled(40, 0, 2, "bounds", "at least 2 replicas")
    tickets.added(40, 0)
    tickets.added(40, 1)
    message = "vision-lab has 2 of at most 2 instances"
    tickets.tell(d.replica_refused(instance_id=tickets.replica(1), code="limit_reached", message=message), 39)
    degraded = d.deployment_degraded(wanted=2, ready=1, code="limit_reached", message=f"{message}: 1 of 2 is ready")
    tickets.tell(degraded, 39)
    await happened(deployments(stage), *tickets.facts)
    await _launched(stage, lives, address, tickets, now, SMALL, "L4-1-24G", {0: timedelta(minutes=35)})


async def _support(stage: Stage, lives: Lives, now: datetime, address: str) -> None:
    support = _Past(SUPPORT, now, model=CHAT, instance_types=("L40S-1-48G",), min_replicas=1, max_replicas=4,
                    target_in_flight=12)  # fmt: skip
    support.created(3 * 24 * 60)
    support.scaled(3 * 24 * 60, 0, 1, "bounds", "at least 1 replica")
    support.added(3 * 24 * 60, 0)
    support.scaled(41, 1, 2, "forecast", "21 requests are expected in 8 minutes, 12 a replica")
    support.added(41, 1)
    support.scaled(33, 2, 3, "load", "31 requests in flight and held, 12 a replica")
    support.added(33, 2)
    support.replaced(32, 2, 2, "out_of_stock", "no L40S-1-48G in fr-par-2; pl-waw-2 is next")
    support.tell(d.replica_ended(instance_id=support.replica(2)), 31.9)
    support.scaled(1.5, 3, 4, "load", "38 requests in flight and held, 12 a replica")
    support.added(1.5, 3)
    await happened(deployments(stage), *support.facts)
    ready = {0: timedelta(days=3), 1: timedelta(minutes=33)}
    await _launched(stage, lives, address, support, now, CHAT, "L40S-1-48G", ready)
    await _launched(stage, lives, address, support, now, CHAT, "L40S-1-48G", {2: timedelta(minutes=24)}, generation=2)
    await _launched(stage, lives, address, support, now, CHAT, "L40S-1-48G", {3: timedelta(seconds=3)}, so_far=16)


async def _launched(  # noqa: PLR0913, PLR0917 - what a replica is
    stage: Stage,
    lives: Lives,
    address: str,
    of: _Past,
    now: datetime,
    model: str,
    instance_type: str,
    ago: dict[int, timedelta],
    generation: int = 1,
    so_far: int | None = None,
) -> None:
    for ordinal, since in ago.items():
        replica = OfDeployment(
            deployment_id=of.id, deployment_name=of.name, revision=1, ordinal=ordinal, generation=generation
        )
        name = f"{of.name}-{ordinal}"
        zone = "fr-par-2" if generation == 1 else "pl-waw-2"
        wish: dict[str, Any] = {"replica": replica, "organization_id": of.organization_id}
        launch = lives.launch(name, model, instance_type, zone=zone, **wish)
        its_id = of.replica(ordinal, 1, generation)
        await stage.happened(*until_now(at_address(launch, address)[:so_far], now, since), instance_id=its_id)


async def load(pool: Pool, now: datetime) -> None:
    """Of the last hours, as the scaler keeps it."""
    of, slot = deployment_id(SUPPORT, None), timedelta(seconds=SLOT_S)
    last = now - now.timestamp() % SLOT_S * timedelta(seconds=1) - slot
    rows = [(of, last - at * slot, *_figures(at)) for at in range(36)]
    await pool.executemany(
        "INSERT INTO deployment_load (deployment_id, at, mean, peak, in_flight, held, arriving_per_s, ready) "
        "VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
        rows,
    )


RISE: Final = (33, 32, 34, 31, 29, 27, 22, 15, 10, 8, 7, 8)
HELD: Final = (2.0, 0, 0, 0, 0.5, 3.5, 2.5, 0.8, 0, 0, 0, 0)
READY: Final = (3.0, 3, 3, 3, 3, 2.4, 2, 1.4, 1, 1, 1, 1)


def _figures(at: int) -> Sequence[float]:
    """Of the slot that ended so many slots ago."""
    flight = RISE[at] if at < len(RISE) else 7 + 2 * sin(at)
    held, ready = (HELD[at], READY[at]) if at < len(RISE) else (0.0, 1.0)
    return flight + held, 1.3 * (flight + held) + 2, flight, held, flight / 9, ready


@asynccontextmanager
async def asked(stage: Stage) -> AsyncGenerator[None]:
    """Meanwhile an api tells of the load."""
    telling = asyncio.create_task(_tell(stage))
    yield
    telling.cancel()


async def _tell(stage: Stage) -> None:
    loads = {deployment_id(SUPPORT, None): (36, 3)}
    process = uuid4()
    for number in range(1_000_000):
        deployments = {
            of: DeploymentLoad(in_flight=flight, held=held, arrived=4 * number) for of, (flight, held) in loads.items()
        }
        report = LoadReport(process=process, at=CLOCK.now(), deployments=deployments)
        await stage.connection.publish(SUBJECT, report.model_dump_json().encode())
        await asyncio.sleep(1)
