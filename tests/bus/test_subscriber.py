"""From a real durable consumer through FastStream to a handler: acknowledged, asked again, moved, or buried."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from uuid import UUID, uuid4

from faststream.nats import NatsBroker

from shared.bus.connection import connect_options, round_trip
from shared.bus.dead_letters import DeadLetter, DeadLetters
from shared.bus.lease import Lease, Leases
from shared.bus.subscriber import Handle, Subscriber, stop_asking
from shared.bus.topology import DEAD_LETTERS, LAUNCH, REPLAYS, apply_topology
from shared.bus.topology_guard import guarded_topology
from shared.journal.envelope import Recorded
from shared.journal.journal import Journal
from shared.journal.streams import LIFECYCLE, append_subject
from shared.lifecycle.events import InstanceRequested
from shared.lifecycle.wish import Wish

ACK_WAIT = 30.0
BRIEF_ACK_WAIT = 4.0


@dataclass
class Service:
    broker: NatsBroker
    journal: Journal
    leases: Leases
    unreadable: list[UUID] = field(default_factory=list)

    async def request(self) -> UUID:
        instance_id = uuid4()
        specification = Wish(name="qwen", model="a/b", instance_types=("L4-1-24G",))
        requested = InstanceRequested(
            instance_id=instance_id, occurred_at=datetime.now(UTC), specification=specification
        )
        await self.journal.request(requested, intent_id=uuid4())
        return instance_id

    async def pending(self) -> int:
        connection = await self.broker.connect()
        info = await connection.jetstream().consumer_info(LIFECYCLE, LAUNCH.durable)
        return (info.num_pending or 0) + (info.num_ack_pending or 0)


@asynccontextmanager
async def serving(url: str, handle: Handle, ack_wait_s: float = ACK_WAIT) -> AsyncGenerator[Service]:
    broker = NatsBroker(**connect_options(url, "test"))
    connection = await broker.connect()
    jetstream = connection.jetstream()
    await apply_topology(jetstream, replicas=1, ack_wait_s=ack_wait_s)
    leases = Leases(round_trip(connection), ack_wait_s)
    service = Service(broker, Journal(connection, actor="test", source="/test"), leases)

    async def on_unreadable(instance_id: UUID, _: str) -> None:
        service.unreadable.append(instance_id)

    Subscriber(LAUNCH, leases, DeadLetters(jetstream), handle, on_unreadable).attach(broker, max_held=100)
    keeping = asyncio.create_task(leases.keep_alive())
    try:
        await broker.start()
        yield service
        await leases.close(grace_s=5)
    finally:
        await broker.stop()
        keeping.cancel()


async def until_settled(service: Service) -> None:
    async with asyncio.timeout(60):
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


async def test_a_consumer_that_was_deleted_is_heard_again_once_a_guard_has_made_it_anew(nats_url: str) -> None:
    seen = asyncio.Queue[UUID]()

    async def handle(recorded: Recorded, _: Lease) -> None:
        await seen.put(recorded.instance.id)

    async with serving(nats_url, handle) as service:
        connection = await service.broker.connect()
        async with guarded_topology(connection, replicas=1, ack_wait_s=ACK_WAIT):
            first = await service.request()
            assert await seen.get() == first
            await connection.jetstream().delete_consumer(LIFECYCLE, LAUNCH.durable)
            async with asyncio.timeout(60):
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
            async with asyncio.timeout(60):
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
    async with serving(nats_url, takes, ack_wait_s=600), asyncio.timeout(60):
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
        async with asyncio.timeout(60):
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

        async with asyncio.timeout(60):
            first = await the_letter()
            await letters.replay(first)
            second = await the_letter()
        assert second.number > first.number
        assert (second.origin, second.subject, second.data) == (first.origin, first.subject, b"{}")
        assert service.unreadable == [bad]
