"""What the stream could not be asked for is neither forgotten nor ended: it may be running."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from services.scaler.load_history import LoadHistory
from services.scaler.loads import Loads
from services.scaler.past import Past
from services.scaler.scaler import Scaler
from services.scaler.view import Sources
from shared.bus.lease import Lease
from shared.bus.reloads import Reloads
from shared.bus.updates import Updates, deployment_after, instance_after
from shared.deployments.decide import DeploymentIntent
from shared.deployments.events import ReplicaAdded, ReplicaRemoved, replica_id
from shared.journal.errors import JournalUnavailable
from shared.journal.journal import Journal
from shared.lifecycle.instance import Instance
from shared.lifecycle.status import Status
from shared.postgres.connection import connecting
from tests.scaler.world import ID, NOWHERE, World, a_world


class Kept:
    async def in_progress(self) -> None: ...
    async def ack_sync(self) -> None: ...
    async def nak(self, delay: float | None = None) -> None: ...


class MuteJournal(Journal):
    """Answers no question about an instance, at first."""

    mute = True

    def __init__(self, world: World) -> None:
        super().__init__(world.connection, actor="scaler", source="/test")
        self.asked = asyncio.Semaphore(0)

    async def load(self, *asked: Any, **how: Any) -> Instance:
        self.asked.release()
        if self.mute:
            raise JournalUnavailable("no answer")
        return await super().load(*asked, **how)


@pytest.fixture
async def world(nats_url: str) -> AsyncGenerator[World]:
    async with a_world(nats_url) as world:
        yield world


@asynccontextmanager
async def scaled_an_hour_later(world: World, journal: Journal) -> AsyncGenerator[None]:
    past = Past()
    loads = Loads(LoadHistory(lambda: connecting(NOWHERE, name="test"), past, 8), past)
    reloads = Reloads(60.0, 8), Reloads(60.0, 8)
    sources = Sources(journal, world.deployments, Updates(deployment_after), Updates(instance_after), *reloads)
    scaler = Scaler(world.connection, sources, loads, world.pace(), now=lambda: datetime.now(UTC) + timedelta(hours=1))
    lease = Lease(Kept(), redelivered=False, fence_s=60.0, clock=lambda: 0.0, confirmed_at=0.0)
    task = asyncio.create_task(scaler.scale((await world.history())[0], lease))
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def a_ready_replica(world: World) -> UUID:
    await world.put(min_replicas=1, max_replicas=1)
    instance_id = replica_id(ID, 1, 0, 1)
    added = {"ordinal": 0, "revision": 1, "generation": 1, "instance_id": instance_id, "reason": "scaled"}
    await world.deployments.record(
        ReplicaAdded.model_validate({"deployment_id": ID, "occurred_at": datetime.now(UTC), "basis": 1} | added)
    )
    await world.launch(instance_id)
    await world.ready(instance_id)
    return instance_id


async def test_a_replica_that_leaves_is_ended_also_if_its_instance_cannot_be_read_at_first(world: World) -> None:
    instance_id = await a_ready_replica(world)
    paused = await world.intend(DeploymentIntent.PAUSE)
    of = {"deployment_id": ID, "occurred_at": datetime.now(UTC), "basis": paused.version}
    await world.deployments.record(ReplicaRemoved.model_validate(of | {"instance_id": instance_id, "reason": "paused"}))
    journal = MuteJournal(world)
    async with scaled_an_hour_later(world, journal):
        async with asyncio.timeout(30):
            await journal.asked.acquire()
            await journal.asked.acquire()
        assert "ReplicaEnded" not in await world.types()
        journal.mute = False
        await world.until_instance(instance_id, lambda instance: instance.status is Status.DRAINING)


async def test_what_serves_goes_in_no_rollout_only_because_it_cannot_be_read(world: World) -> None:
    instance_id = await a_ready_replica(world)
    await world.put(min_replicas=1, max_replicas=1, volume_gb=300)
    journal = MuteJournal(world)
    async with scaled_an_hour_later(world, journal):
        async with asyncio.timeout(30):
            await journal.asked.acquire()
            await journal.asked.acquire()
        journal.mute = False
        deployment = await world.until(lambda deployment: len(deployment.replicas) > 1)
    assert instance_id in [each.instance_id for each in deployment.staying]
