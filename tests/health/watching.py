"""A whole health service over a real stream, one machine to look at, and the facts that others would record."""

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

from nats.aio.client import Client

from services.health.app import MakeWorkerLog, running
from services.health.settings import HealthSettings
from services.health.ssh_worker_log import SshWorkerLog
from shared.bus.connection import connect
from shared.bus.lease import Leases
from shared.bus.topology import WATCH, apply_topology
from shared.journal.journal import Journal
from shared.journal.recorded import Recorded
from shared.journal.streams import LIFECYCLE
from shared.lifecycle.events import Event, InstanceRequested, TerminationRequested
from shared.lifecycle.instance import Instance
from shared.lifecycle.status import WATCHED, Status
from shared.secrets import Secrets
from tests.health.examples import LEASE_S, SECRET, a_pace
from tests.health.fake_worker import FakeWorker, a_machine
from tests.lifecycle import facts as f

PATIENCE_S = 120.0


@dataclass
class World:
    """Everything but the health service."""

    url: str
    connection: Client
    journal: Journal
    worker: FakeWorker
    ssh_port: int
    id: UUID = field(default_factory=uuid4)

    def pace(self, **overrides: Any) -> HealthSettings:
        ports = {"ssh_port": self.ssh_port, "worker_port": self.worker.port}
        return a_pace(**({"nats_url": self.url} | ports | overrides))

    async def happen(self, *facts: Event) -> None:
        """Record these facts of the one instance, as if they had happened now."""
        for fact in facts:
            now = fact.model_copy(update={"instance_id": self.id, "occurred_at": datetime.now(UTC)})
            if isinstance(now, InstanceRequested):
                await self.journal.request(now, intent_id=uuid4())
            else:
                await self.journal.record(now)

    async def launched(self, address: str = "127.0.0.1", **specification: Any) -> None:
        """Up to the address, which is this machine's own if no other is given."""
        self.worker.api_key = self.key(1)
        requested = f.instance_requested(specification=f.a_specification(**specification))
        launch = (requested, f.instance_created(), f.volume_resized(), f.instance_started())
        await self.happen(*launch, f.ip_assigned(ip_address=address))

    async def ready(self) -> Instance:
        await self.launched()
        await self.worker.open()
        return await self.until(Status.READY)

    def key(self, attempt: int) -> str:
        return Secrets(SECRET).worker_api_key(self.id, attempt)

    async def until(self, wanted: Status | Callable[[Instance], bool]) -> Instance:
        """The instance once it is like that."""
        like_that = (lambda instance: instance.status is wanted) if isinstance(wanted, Status) else wanted
        async with asyncio.timeout(PATIENCE_S):
            while not like_that(instance := await self.journal.load(self.id)):  # noqa: ASYNC110  a journal is asked
                await asyncio.sleep(0.01)
        return instance

    async def history(self) -> list[Recorded]:
        return [recorded async for recorded in self.journal.history(self.id)]

    async def seen(self) -> list[str]:
        """What health recorded, in order."""
        return [recorded.event.type() for recorded in await self.history() if recorded.origin.actor == "health"]

    async def unsettled(self) -> int:
        """Watches that are held or wait to be."""
        info = await self.connection.jetstream().consumer_info(LIFECYCLE, WATCH.durable)
        return (info.num_pending or 0) + (info.num_ack_pending or 0)

    async def until_unwatched(self) -> None:
        async with asyncio.timeout(PATIENCE_S):
            while await self.unsettled():  # noqa: ASYNC110  the server tells nobody that a consumer is empty
                await asyncio.sleep(0.01)


@asynccontextmanager
async def a_world(url: str, *, ack_wait_s: float = LEASE_S) -> AsyncGenerator[World]:
    connection = await connect(url, "test")
    try:
        await apply_topology(connection.jetstream(), replicas=1, ack_wait_s=ack_wait_s)
        async with a_machine() as (ssh_port, worker):
            yield World(url, connection, Journal(connection, actor="test", source="/test"), worker, ssh_port)
    finally:
        await connection.close()


@asynccontextmanager
async def watched(world: World, *, log: MakeWorkerLog = SshWorkerLog, **overrides: Any) -> AsyncGenerator[Leases]:
    """The service, which must be idle again once the instance is terminated."""
    async with running(world.pace(**overrides), make_worker_log=log) as leases:
        yield leases
        instance = await world.journal.load(world.id)
        if instance.status in WATCHED:
            await world.happen(TerminationRequested(instance_id=world.id, occurred_at=datetime.now(UTC)))
        await world.until_unwatched()


async def until(true: Callable[[], bool]) -> None:
    """Wait for something inside this process that sets no event."""
    async with asyncio.timeout(PATIENCE_S):
        while not true():  # noqa: ASYNC110  see above
            await asyncio.sleep(0.005)
