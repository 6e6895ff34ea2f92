"""The whole service on a real NATS, with a fake cloud and a real SSH server."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager, nullcontext
from datetime import UTC, datetime
from uuid import UUID, uuid4

import pytest
from nats.aio.client import Client
from pydantic import SecretStr
from structlog.testing import capture_logs

from services.provisioner.app import running
from services.provisioner.install.script import PHASES
from shared.bus.connection import connect
from shared.bus.lease import Leases
from shared.bus.topology import INSTALL, LAUNCH, RELEASE
from shared.journal.journal import Journal
from shared.journal.streams import LIFECYCLE, append_subject
from shared.lifecycle import events as e
from shared.lifecycle.decide import terminate
from shared.lifecycle.instance import Instance
from shared.lifecycle.status import Status
from shared.lifecycle.wish import Wish
from shared.offers.instance_types import InstanceTypes
from shared.secrets import Secrets
from tests.provisioner.fake_provider import Delays, FakeProvider
from tests.provisioner.stage import MASTER, quick
from tests.ssh.ssh_server import Process, ssh_server

SECRETS = Secrets(MASTER)


async def until(good: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(120):
        while not await good():  # noqa: ASYNC110  what is awaited is on the other side of NATS
            await asyncio.sleep(0.02)


class World:
    """What a test sees of the service: the journal and the cloud."""

    def __init__(self, connection: Client) -> None:
        self.connection = connection
        self.journal = Journal(connection, actor="test", source="/coldstart/test")
        self.provider = FakeProvider(delays=Delays(tags=0.05, volume=0.05, power_on=0.05, detach=0.05))

    async def requested(self, instance_id: UUID | None = None) -> UUID:
        fact = e.InstanceRequested(
            instance_id=instance_id or uuid4(),
            occurred_at=datetime.now(UTC),
            specification=Wish(name="qwen", model="a/b", instance_types=("L4-1-24G",)),
        )
        await self.journal.request(fact, intent_id=uuid4())
        return fact.instance_id

    async def terminated(self, instance_id: UUID) -> None:
        await self.journal.intend(instance_id, terminate, intent_id=uuid4(), at=datetime.now(UTC))

    async def status(self, instance_id: UUID, wanted: Status) -> Instance:
        async def has_it() -> bool:
            return (await self.journal.load(instance_id)).status is wanted

        await until(has_it)
        return await self.journal.load(instance_id)

    async def reached(self, instance_id: UUID, milestone: type[e.Event]) -> Instance:
        async def has() -> bool:
            return (await self.journal.load(instance_id)).reached(milestone)

        await until(has)
        return await self.journal.load(instance_id)

    async def idle(self) -> None:
        """Wait until every trigger is acknowledged."""
        jetstream = self.connection.jetstream()

        async def is_idle() -> bool:
            infos = [await jetstream.consumer_info(LIFECYCLE, each.durable) for each in (LAUNCH, INSTALL, RELEASE)]
            return not any(info.num_pending or info.num_ack_pending for info in infos)

        await until(is_idle)


@pytest.fixture
async def world(nats_url: str) -> AsyncGenerator[World]:
    connection = await connect(nats_url, "test")
    yield World(connection)
    await connection.close()


@asynccontextmanager
async def service(nats_url: str, world: World, **settings: object) -> AsyncGenerator[Leases]:
    chosen = quick(nats_url=SecretStr(nats_url), **settings)
    async with running(chosen, [lambda _: nullcontext(world.provider)]) as leases:
        yield leases


async def test_the_provisioner_says_at_its_start_that_workers_are_without_tls(nats_url: str, world: World) -> None:
    with capture_logs() as logged:
        async with service(nats_url, world, worker_tls="off"):
            pass
    assert [entry for entry in logged if "without TLS" in entry["event"]]


async def test_an_instance_is_launched_installed_and_released(nats_url: str, world: World) -> None:
    instance_id = uuid4()

    async def installs(process: Process, _: str) -> None:
        process.stdout.write("".join(f"::phase::{name}\n" for name in PHASES))
        process.exit(0)

    async with (
        ssh_server(SECRETS.host_key(instance_id, 0), SECRETS.ssh_client_key(), installs) as machine,
        service(nats_url, world, ssh_port=machine.port),
    ):
        await world.requested(instance_id)
        await world.reached(instance_id, e.PortsOpened)
        await world.journal.record(e.SshReachable(instance_id=instance_id, occurred_at=datetime.now(UTC), attempt=1))
        instance = await world.status(instance_id, Status.STARTING)
        assert instance.progress_percent == 60
        await world.terminated(instance_id)
        await world.status(instance_id, Status.TERMINATED)
        await world.idle()
    assert world.provider.empty
    history = [recorded async for recorded in world.journal.history(instance_id)]
    assert {recorded.origin.actor for recorded in history} == {"test", "provisioner"}
    by_id = {recorded.id: recorded.event.type() for recorded in history}
    created = next(recorded for recorded in history if isinstance(recorded.event, e.InstanceCreated))
    assert by_id[created.origin.causation_id or uuid4()] == "InstanceRequested"


async def test_two_replicas_launch_each_of_many_instances_once(nats_url: str, world: World) -> None:
    async with service(nats_url, world), service(nats_url, world):
        ids = [await world.requested() for _ in range(12)]
        for instance_id in ids:
            await world.reached(instance_id, e.PortsOpened)
        assert len(world.provider.alive) == len(ids)
        assert all(machine.asked == ["on"] for machine in world.provider.machines.values())
        for instance_id in ids:
            await world.terminated(instance_id)
        for instance_id in ids:
            await world.status(instance_id, Status.TERMINATED)
        await world.idle()
    assert world.provider.empty


async def test_what_a_stopped_replica_held_is_taken_up_at_once(nats_url: str, world: World) -> None:
    world.provider.delays = Delays(volume=1.0)
    async with service(nats_url, world, lease_seconds=600.0) as leases:
        instance_id = await world.requested()
        await world.reached(instance_id, e.InstanceCreated)

        async def holds_the_next_step() -> bool:
            return len(leases) == 1

        await until(holds_the_next_step)
    async with service(nats_url, world, lease_seconds=600.0):
        await world.reached(instance_id, e.PortsOpened)
    assert world.provider.machines["server-1"].asked == ["on"]


async def test_a_replica_that_stops_in_the_middle_of_a_creation_leaves_one_server(nats_url: str, world: World) -> None:
    created, stuck = asyncio.Event(), asyncio.Event()

    async def hangs() -> None:
        created.set()
        await stuck.wait()

    world.provider.after["create_server"] = hangs
    async with service(nats_url, world, stop_grace_seconds=0.1):
        instance_id = await world.requested()
        async with asyncio.timeout(120):
            await created.wait()
    async with service(nats_url, world):
        instance = await world.reached(instance_id, e.PortsOpened)
    assert world.provider.alive == [instance.resources.server_id]


async def test_a_trigger_that_nobody_can_read_fails_its_instance(nats_url: str, world: World) -> None:
    async with service(nats_url, world):
        instance_id = await world.requested()
        await world.reached(instance_id, e.PortsOpened)
        jetstream = world.connection.jetstream()
        await jetstream.publish(append_subject(instance_id, "SshReachable"), b"no event")
        instance = await world.status(instance_id, Status.FAILED)
        assert instance.error is not None
        assert instance.error.code == "trigger_not_understood"
        await world.idle()
    assert world.provider.empty


async def test_reconciliation_runs_by_itself(nats_url: str, world: World) -> None:
    async with service(nats_url, world):
        instance_id = await world.requested()
        instance = await world.reached(instance_id, e.PortsOpened)
        world.provider.lose(instance.resources.server_id or "")
        lost = await world.status(instance_id, Status.FAILED)
        assert lost.error is not None
        assert lost.error.code == "server_lost"
        await world.idle()
    assert world.provider.empty


async def test_the_others_are_told_what_the_provider_offers_even_when_it_fails_at_first(
    nats_url: str, world: World
) -> None:
    world.provider.fail("instance_types", OSError("not yet"))
    async with service(nats_url, world):
        told = InstanceTypes(world.connection.jetstream(), replicas=1)

        async def offered() -> bool:
            types = await told.of("scaleway") or ()
            return [kind.name for kind in types] == [kind.name for kind in world.provider.offered]

        await until(offered)


async def test_what_a_provider_offered_that_is_configured_no_more_is_forgotten_though_the_others_fail(
    nats_url: str, world: World
) -> None:
    told = InstanceTypes(world.connection.jetstream(), replicas=1)
    for name in ("scaleway", "left-behind"):
        await told.publish(name, world.provider.offered)
    world.provider.fail("instance_types", OSError("not yet"))
    async with service(nats_url, world):

        async def forgotten() -> bool:
            return await told.of_all() == {"scaleway": world.provider.offered}

        await until(forgotten)
