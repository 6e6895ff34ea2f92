"""From a real durable consumer through FastStream to a handler: acknowledged, asked again, moved, or buried."""

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, TypeVar
from uuid import UUID, uuid4

import pytest
from faststream.nats import NatsBroker
from structlog.contextvars import get_contextvars
from structlog.testing import capture_logs

from shared.bus import subscriber
from shared.bus.connection import connect_options, round_trip
from shared.bus.dead_letters import DeadLetter, DeadLetters
from shared.bus.held import Held
from shared.bus.lease import Lease, Leases
from shared.bus.subscriber import Handle, Subscriber, stop_asking
from shared.bus.topology import DEAD_LETTERS, LAUNCH, REPLAYS, SCALE, Trigger, applied_topology, apply_topology
from shared.bus.topology_guard import guarded_topology
from shared.deployments.deployment import Deployment
from shared.journal.deployments import DeploymentJournal
from shared.journal.envelope import SCHEMA_VERSION, encode
from shared.journal.errors import OnlyForNewer
from shared.journal.journal import Journal
from shared.journal.recorded import Origin, Recorded, RecordedDeployment, RecordedOf
from shared.journal.streams import LIFECYCLE, append_subject
from shared.lifecycle.events import InstanceRequested
from shared.lifecycle.wish import Wish
from tests.deployments import facts as d
from tests.deployments.recording import happened
from tests.journal.another_version import Body, named, of_schema, written
from tests.lifecycle import facts as f

_Event = TypeVar("_Event", bound=RecordedOf[Any, Any])
ACK_WAIT = 30.0
BRIEF_ACK_WAIT = 4.0


@dataclass
class Service:
    broker: NatsBroker
    journal: Journal
    leases: Leases
    unreadable: list[UUID] = field(default_factory=list)

    async def request(self, traceparent: str | None = None) -> UUID:
        instance_id = uuid4()
        specification = Wish(name="qwen", model="a/b", instance_types=("L4-1-24G",))
        requested = InstanceRequested(
            instance_id=instance_id, occurred_at=datetime.now(UTC), specification=specification
        )
        await self.journal.request(requested, intent_id=uuid4(), traceparent=traceparent)
        return instance_id

    async def pending(self) -> int:
        connection = await self.broker.connect()
        info = await connection.jetstream().consumer_info(LIFECYCLE, LAUNCH.durable)
        return (info.num_pending or 0) + (info.num_ack_pending or 0)


@asynccontextmanager
async def serving(
    url: str, handle: Handle[_Event], ack_wait_s: float = ACK_WAIT, trigger: Trigger[Any] = LAUNCH
) -> AsyncGenerator[Service]:
    broker = NatsBroker(**connect_options(url, "test"))
    connection = await broker.connect()
    jetstream = connection.jetstream()
    await apply_topology(jetstream, replicas=1, ack_wait_s=ack_wait_s)
    leases = Leases(round_trip(connection), ack_wait_s)
    service = Service(broker, Journal(connection, actor="test", source="/test"), leases)

    async def on_unreadable(instance_id: UUID, _: str) -> None:
        service.unreadable.append(instance_id)

    Subscriber(trigger, leases, DeadLetters(jetstream), handle, on_unreadable, Held(trigger.durable)).attach(
        broker, max_held=100
    )
    keeping = asyncio.create_task(leases.keep_alive())
    try:
        await broker.start()
        yield service
        await leases.close(grace_s=5)
    finally:
        await broker.stop()
        keeping.cancel()


async def until_settled(service: Service) -> None:
    async with asyncio.timeout(120):
        while await service.pending():  # noqa: ASYNC110  the server tells nobody that a consumer is empty
            await asyncio.sleep(0.01)


async def test_a_handled_message_is_acknowledged(nats_url: str) -> None:
    seen = asyncio.Queue[Recorded]()

    async def handle(recorded: Recorded, _: Lease) -> None:
        await seen.put(recorded)

    async with serving(nats_url, handle) as service:
        instance_id = await service.request()
        assert (await seen.get()).instance.id == instance_id
        await until_settled(service)


TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"


@pytest.mark.parametrize(
    ("traceparent", "trace"), [(f"00-{TRACE}-00f067aa0ba902b7-01", {"trace_id": TRACE}), (None, {}), ("odd", {})]
)
async def test_what_is_logged_while_a_message_is_held_names_its_instance_and_its_trace(
    nats_url: str, traceparent: str | None, trace: dict[str, str]
) -> None:
    seen = asyncio.Queue[dict[str, Any]]()

    async def handle(_: Recorded, __: Lease) -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(seen.put(get_contextvars()))  # what a handler starts says it, too

    async with serving(nats_url, handle) as service:
        instance_id = await service.request(traceparent)
        said = await seen.get()
        assert {name: said[name] for name in said.keys() & {"instance_id", "trace_id"}} == {
            "instance_id": str(instance_id),
            **trace,
        }
        await until_settled(service)
    assert not get_contextvars().keys() & {"instance_id", "trace_id"}


async def test_a_consumer_that_was_deleted_is_heard_again_once_a_guard_has_made_it_anew(nats_url: str) -> None:
    seen = asyncio.Queue[UUID]()

    async def handle(recorded: Recorded, _: Lease) -> None:
        await seen.put(recorded.instance.id)

    async with serving(nats_url, handle) as service:
        connection = await service.broker.connect()
        identity = await applied_topology(connection.jetstream(), replicas=1, ack_wait_s=ACK_WAIT)
        async with guarded_topology(connection, identity, replicas=1, ack_wait_s=ACK_WAIT):
            first = await service.request()
            assert await seen.get() == first
            await connection.jetstream().delete_consumer(LIFECYCLE, LAUNCH.durable)
            async with asyncio.timeout(120):
                later = await service.request()
                while await seen.get() != later:  # what was handled before comes again: handling is idempotent
                    pass


async def test_a_message_held_for_longer_than_the_ack_wait_is_not_redelivered(nats_url: str) -> None:
    seen: list[bool] = []
    done = asyncio.Event()

    async def handle(_: Recorded, lease: Lease) -> None:
        seen.append(lease.redelivered)
        await lease.sleep(BRIEF_ACK_WAIT * 1.5)
        done.set()

    async with serving(nats_url, handle, BRIEF_ACK_WAIT) as service:
        await service.request()
        await done.wait()
        await until_settled(service)
        assert seen == [False]


async def test_a_handler_that_raises_is_asked_again_and_told_so(nats_url: str) -> None:
    seen: list[bool] = []
    done = asyncio.Event()

    async def handle(_: Recorded, lease: Lease) -> None:
        seen.append(lease.redelivered)
        if len(seen) == 1:
            raise RuntimeError("once")
        done.set()

    async with serving(nats_url, handle) as service:
        await service.request()
        await done.wait()
        assert seen == [False, True]


async def test_a_stopping_replica_hands_its_messages_over_at_once(nats_url: str) -> None:
    held, taken = asyncio.Event(), asyncio.Event()

    async def holds(_: Recorded, lease: Lease) -> None:
        held.set()
        await lease.sleep(3600)

    async def takes(_: Recorded, lease: Lease) -> None:
        assert lease.redelivered
        taken.set()

    async with serving(nats_url, holds, ack_wait_s=600) as first:
        await first.request()
        await held.wait()
        async with serving(nats_url, takes, ack_wait_s=600):
            await first.leases.close(grace_s=5)
            async with asyncio.timeout(120):
                await taken.wait()


async def test_what_a_replica_gave_back_when_it_stopped_waits_for_the_next_one_to_come(nats_url: str) -> None:
    held, taken = asyncio.Event(), asyncio.Event()

    async def holds(_: Recorded, lease: Lease) -> None:
        held.set()
        await lease.sleep(3600)

    async def takes(_: Recorded, lease: Lease) -> None:
        assert lease.redelivered
        taken.set()

    async with serving(nats_url, holds, ack_wait_s=600) as first:
        await first.request()
        await held.wait()
        await stop_asking(first.broker)
    async with serving(nats_url, takes, ack_wait_s=600), asyncio.timeout(120):
        await taken.wait()


async def test_a_message_nobody_understands_is_buried_with_its_reason_and_stops_no_other(nats_url: str) -> None:
    seen = asyncio.Queue[Recorded]()

    async def handle(recorded: Recorded, _: Lease) -> None:
        await seen.put(recorded)

    async with serving(nats_url, handle) as service:
        connection = await service.broker.connect()
        bad = uuid4()
        await connection.jetstream().publish(append_subject(bad, "InstanceRequested"), b"{}")
        instance_id = await service.request()
        assert (await seen.get()).instance.id == instance_id
        await until_settled(service)
        letter = await connection.jetstream().get_last_msg(DEAD_LETTERS, "dead_letters.>")
        assert letter.data == b"{}"
        assert letter.headers is not None
        assert letter.headers["Coldstart-Subject"] == f"lifecycle.{bad}.InstanceRequested"
        assert "dataschema" in letter.headers["Coldstart-Reason"]
        assert service.unreadable == [bad]


async def test_a_dead_letter_that_is_handed_back_is_held_like_any_other_message(nats_url: str) -> None:
    seen = asyncio.Queue[Recorded]()

    async def handle(recorded: Recorded, _: Lease) -> None:
        await seen.put(recorded)

    async with serving(nats_url, handle) as service:
        await service.request()
        first = await seen.get()
        await until_settled(service)
        jetstream = (await service.broker.connect()).jetstream()
        letters = DeadLetters(jetstream)
        message = await jetstream.get_msg(LIFECYCLE, first.sequence)
        headers = {"Coldstart-Origin": f"{LIFECYCLE}:{first.sequence}", "Coldstart-Reason": "too new"}
        await jetstream.publish(f"dead_letters.{LAUNCH.durable}", message.data or b"", headers=headers)
        (letter,) = [each async for each in letters]
        assert (letter.consumer, letter.sequence, letter.reason) == (LAUNCH.durable, first.sequence, "too new")
        await letters.replay(letter)
        assert [each async for each in letters] == []
        again = await seen.get()
        assert (again.id, again.sequence) == (first.id, first.sequence)
        async with asyncio.timeout(120):
            while (await jetstream.stream_info(REPLAYS)).state.messages:  # noqa: ASYNC110  nobody is told of it
                await asyncio.sleep(0.01)


async def test_a_letter_that_nobody_understands_again_is_back_at_once_with_its_origin(nats_url: str) -> None:
    async def handle(_: Recorded, __: Lease) -> None:
        raise AssertionError("nobody understands it")

    async with serving(nats_url, handle) as service:
        jetstream = (await service.broker.connect()).jetstream()
        letters = DeadLetters(jetstream)
        bad = uuid4()
        await jetstream.publish(append_subject(bad, "InstanceRequested"), b"{}")

        async def the_letter() -> DeadLetter:
            while not (found := [each async for each in letters]):  # noqa: ASYNC110  as above
                await asyncio.sleep(0.01)
            return found[0]

        async with asyncio.timeout(120):
            first = await the_letter()
            await letters.replay(first)
            second = await the_letter()
        assert second.number > first.number
        assert (second.origin, second.subject, second.data) == (first.origin, first.subject, b"{}")
        assert service.unreadable == [bad]


@pytest.mark.parametrize("change", [of_schema(SCHEMA_VERSION + 1), named("SomethingNovel")])
async def test_a_trigger_that_only_a_newer_version_reads_is_left_to_it_again_and_again(
    nats_url: str, monkeypatch: pytest.MonkeyPatch, change: Callable[[Body], None]
) -> None:
    monkeypatch.setattr(subscriber, "FOR_NEWER_S", 0.05)
    seen = asyncio.Queue[Recorded]()

    async def handle(recorded: Recorded, _: Lease) -> None:
        await seen.put(recorded)

    async with serving(nats_url, handle) as service:
        connection = await service.broker.connect()
        jetstream, fact = connection.jetstream(), f.instance_requested(instance_id=uuid4())
        data = written(encode(uuid4(), fact, f.given(fact), Origin("api"), "/test"), change)
        await jetstream.publish(append_subject(fact.instance_id, "InstanceRequested"), data)
        other = await service.request()
        assert (await seen.get()).instance.id == other, "others go on"
        async with asyncio.timeout(120):
            while not (info := await jetstream.consumer_info(LIFECYCLE, LAUNCH.durable)).num_redelivered:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
        assert info.num_ack_pending == 1
        assert (await jetstream.stream_info(DEAD_LETTERS)).state.messages == 0
        assert service.unreadable == []
        assert seen.empty()


async def test_work_on_an_instance_that_a_newer_version_has_moved_on_is_left_to_it(
    nats_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(subscriber, "FOR_NEWER_S", 0.05)
    tries = asyncio.Queue[UUID]()

    async def handle(recorded: Recorded, _: Lease) -> None:
        await tries.put(recorded.instance.id)
        raise OnlyForNewer("as the journal says")

    async with serving(nats_url, handle) as service:
        instance_id = await service.request()
        with capture_logs() as logged:
            assert [await tries.get() for _ in range(3)] == [instance_id] * 3
        assert {entry["event"] for entry in logged} == {"left to a newer version"}
        assert service.unreadable == []


async def test_a_handler_gets_the_events_of_deployments_and_no_instance_fails_for_one_that_cannot_be_read(
    nats_url: str,
) -> None:
    seen = asyncio.Queue[Deployment]()

    async def handle(recorded: RecordedDeployment, _: Lease) -> None:
        await seen.put(recorded.deployment)

    async with serving(nats_url, handle, trigger=SCALE) as service:
        connection = await service.broker.connect()
        jetstream = connection.jetstream()
        await jetstream.publish(append_subject(uuid4(), "DeploymentCreated"), b"{}")
        of_an_instance = encode(uuid4(), f.instance_requested(), f.given(f.instance_requested()), Origin("x"), "/test")
        await jetstream.publish(append_subject(uuid4(), "DeploymentCreated"), of_an_instance)
        journal = DeploymentJournal(connection, actor="test", source="/test")
        created = await happened(journal, d.deployment_created())
        assert await seen.get() == created
        reasons = [letter.reason async for letter in DeadLetters(jetstream) if letter.consumer == SCALE.durable]
        assert len(reasons) == 2
        assert service.unreadable == []
