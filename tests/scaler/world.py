"""A whole scaler over a real stream, an api that launches whatever it is asked for, and what others record."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final, TypeVar
from uuid import UUID, uuid4

from nats.aio.client import Client
from nats.aio.msg import Msg

from services.scaler.app import running
from services.scaler.settings import ScalerSettings
from shared.bus.connection import connect
from shared.bus.lease import Leases
from shared.bus.topology import REPLICAS, SCALE, apply_topology
from shared.deployments.decide import DEPLOYMENT_DECISIONS, DeploymentIntent, put
from shared.deployments.deployment import Deployment
from shared.deployments.events import deployment_id
from shared.deployments.load import Lead
from shared.journal.deployments import DeploymentJournal
from shared.journal.journal import Journal
from shared.journal.recorded import RecordedDeployment
from shared.journal.streams import LIFECYCLE, events_of
from shared.launching import QUEUE, SUBJECT, LaunchReply, LaunchRequest
from shared.lifecycle.events import Event, InstanceRequested
from shared.lifecycle.instance import Instance
from shared.lifecycle.wish import OfDeployment
from shared.load import SUBJECT as LOAD
from shared.load import DeploymentLoad, LoadReport
from tests.deployments.examples import a_wish
from tests.lifecycle import facts as f
from tests.lifecycle import histories as h

PATIENCE_S: Final = 120.0
LEASE_S: Final = 30.0
"""A busy machine cannot extend in time what is much shorter."""
NOWHERE: Final = "postgresql://127.0.0.1:9/none"
ID: Final = deployment_id("chat", None)
LAUNCHED: Final = LaunchReply(outcome="launched")
_Loaded = TypeVar("_Loaded")


def a_pace(**overrides: Any) -> ScalerSettings:
    example = {
        "lease_seconds": LEASE_S,
        "database_url": NOWHERE,
        "moving_look_seconds": 0.1,
        "steady_look_seconds": 0.2,
        "reload_seconds": 10.0,
        "reload_instances_seconds": 10.0,
        "launch_retry_seconds": 0.05,
        "launch_longest_retry_seconds": 0.1,
        "stop_grace_seconds": 2.0,
    }
    return ScalerSettings.model_validate(example | overrides)


@dataclass
class World:
    """Everything but the scaler. `reply` makes an api refuse; None: it is asked, and does not answer."""

    url: str
    connection: Client
    journal: Journal
    deployments: DeploymentJournal
    launches: list[UUID] = field(default_factory=list)
    reply: LaunchReply | None = LAUNCHED
    process: UUID = field(default_factory=uuid4)
    asked: asyncio.Condition = field(default_factory=asyncio.Condition)

    def pace(self, **overrides: Any) -> ScalerSettings:
        return a_pace(**{"nats_url": self.url} | overrides)

    async def put(self, **wish: Any) -> Deployment:
        wanted = a_wish(**wish)
        judge = lambda existing, at: put(existing, ID, wanted, at)  # noqa: E731
        return (await self.deployments.intend(ID, judge, intent_id=uuid4(), at=datetime.now(UTC)))[0]

    async def intend(self, intent: DeploymentIntent) -> Deployment:
        judge = lambda existing, at: DEPLOYMENT_DECISIONS[intent](existing, ID, at)  # noqa: E731
        return (await self.deployments.intend(ID, judge, intent_id=uuid4(), at=datetime.now(UTC)))[0]

    async def load(self, *, in_flight: int = 0, held: int = 0, lead: Lead | None = None) -> None:
        """What an api tells."""
        told = DeploymentLoad(in_flight=in_flight, held=held, lead=lead)
        deployments = {ID: told} if in_flight or held else {}
        report = LoadReport(process=self.process, at=datetime.now(UTC), deployments=deployments)
        await self.connection.publish(LOAD, report.model_dump_json().encode())

    async def answer(self, message: Msg) -> None:
        """As the api does: a replica is requested under its id."""
        request = LaunchRequest.model_validate_json(message.data)
        if self.reply is not None:
            if self.reply.outcome == "launched":
                await self.launch(request.instance_id)
            await message.respond(self.reply.model_dump_json().encode())
        async with self.asked:
            self.launches.append(request.instance_id)
            self.asked.notify_all()

    async def launch(self, instance_id: UUID) -> None:
        of = OfDeployment(deployment_id=ID, deployment_name="chat", revision=1, ordinal=0, generation=1)
        specification = f.a_specification(replica=of)
        await self.happen(instance_id, f.instance_requested(specification=specification))

    async def until_asked(self, times: int) -> None:
        async with asyncio.timeout(PATIENCE_S), self.asked:
            await self.asked.wait_for(lambda: len(self.launches) >= times)

    async def happen(self, instance_id: UUID, *facts: Event) -> None:
        """Record these facts, as if they had happened now."""
        for fact in facts:
            now = fact.model_copy(update={"instance_id": instance_id, "occurred_at": datetime.now(UTC)})
            if isinstance(now, InstanceRequested):
                await self.journal.request(now, intent_id=uuid4())
            else:
                await self.journal.record(now)

    async def ready(self, instance_id: UUID) -> None:
        await self.happen(instance_id, *h.a_ready_instance()[1:])

    async def until(self, like_that: Callable[[Deployment], bool]) -> Deployment:
        return await self._until(ID, lambda: self.deployments.load(ID), like_that)

    async def until_instance(self, instance_id: UUID, like_that: Callable[[Instance], bool]) -> Instance:
        return await self._until(instance_id, lambda: self.journal.load(instance_id), like_that)

    async def _until(
        self, its_id: UUID, load: Callable[[], Awaitable[_Loaded]], like_that: Callable[[_Loaded], bool]
    ) -> _Loaded:
        """Looks again after each event of it."""
        events = await self.connection.subscribe(events_of(its_id))
        try:
            async with asyncio.timeout(PATIENCE_S):
                while not like_that(found := await load()):
                    await events.next_msg(timeout=PATIENCE_S)
        finally:
            await events.unsubscribe()
        return found

    async def history(self) -> list[RecordedDeployment]:
        return [recorded async for recorded in self.deployments.history(ID)]

    async def types(self) -> list[str]:
        return [recorded.type for recorded in await self.history()]

    async def forget(self) -> None:
        """Take the next message away from all scalers, as a cluster that forgets one."""
        taking = await self.connection.jetstream().pull_subscribe_bind(SCALE.durable, stream=LIFECYCLE)
        (message,) = await taking.fetch(1, timeout=PATIENCE_S)
        await message.ack_sync()
        await taking.unsubscribe()

    async def until_unheld(self, count: int = 0) -> None:
        """Until so many messages are held or wait to be. Asks again and again: the server tells nobody."""
        jetstream = self.connection.jetstream()
        async with asyncio.timeout(PATIENCE_S):
            for trigger in (SCALE, REPLICAS):
                while True:
                    info = await jetstream.consumer_info(LIFECYCLE, trigger.durable)
                    if (info.num_pending or 0) + (info.num_ack_pending or 0) <= (count if trigger is SCALE else 0):
                        break
                    await asyncio.sleep(0.01)


@asynccontextmanager
async def a_world(url: str, *, ack_wait_s: float = LEASE_S) -> AsyncGenerator[World]:
    connection = await connect(url, "test")
    try:
        await apply_topology(connection.jetstream(), replicas=1, ack_wait_s=ack_wait_s)
        journal = Journal(connection, actor="test", source="/test")
        world = World(url, connection, journal, DeploymentJournal(connection, actor="test", source="/test"))
        await connection.subscribe(SUBJECT, queue=QUEUE, cb=world.answer)
        yield world
    finally:
        await connection.close()


@asynccontextmanager
async def scaled(world: World, **overrides: Any) -> AsyncGenerator[Leases]:
    async with running(world.pace(**overrides)) as leases:
        yield leases
