"""Every message once and in order, a word when there is nothing more, and an end when that is not certain."""

import asyncio
from collections.abc import AsyncGenerator
from datetime import UTC, datetime
from typing import cast

import pytest
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.js.api import ConsumerConfig, ConsumerInfo, StreamConfig

from shared.bus.connection import connect
from shared.bus.reader import BATCH, ReadingInterrupted, StreamReader, reading, stream_state
from shared.bus.topology import apply_topology
from shared.journal.streams import EVERY_EVENT, LIFECYCLE
from tests.nats_proxy import Operation, nats_proxy

HEARTBEAT_S = 0.2
AT = datetime(2026, 11, 29, tzinfo=UTC)


HEARTBEAT = {"Status": "100", "Nats-Last-Consumer": "0"}


class Unheard:
    """A connection whose server answers nothing."""

    async def publish(self, subject: str, payload: bytes, *, reply: str) -> None: ...


@pytest.fixture
async def connection(nats_url: str) -> AsyncGenerator[Client]:
    connection = await connect(nats_url, "test")
    await apply_topology(connection.jetstream(), replicas=1, ack_wait_s=5)
    yield connection
    await connection.close()


async def write(connection: Client, *names: str) -> None:
    jetstream = connection.jetstream(publish_async_max_pending=500)
    for name in names:
        await jetstream.publish_async(f"journal.{name}.Event", name.encode(), wait_stall=30)
    await jetstream.publish_async_completed()


async def take(events: StreamReader, count: int) -> list[bytes]:
    taken: list[Msg] = []
    async with asyncio.timeout(120):
        while len(taken) < count:
            taken += await events.batch()
    return [message.data for message in taken]


async def take_all(events: StreamReader) -> list[bytes]:
    taken: list[Msg] = []
    async with asyncio.timeout(120):
        while not events.caught_up:
            taken += await events.batch()
    return [message.data for message in taken]


async def consumers(connection: Client) -> list[str]:
    found = await connection.jetstream().consumers_info(LIFECYCLE)
    return [consumer.name for consumer in found if not consumer.config.durable_name]


async def test_what_is_there_comes_first_and_then_what_happens(connection: Client) -> None:
    await write(connection, "a", "b", "c")
    async with reading(connection, after=1, heartbeat_s=HEARTBEAT_S) as events:
        assert await take(events, 2) == [b"b", b"c"]
        await write(connection, "d")
        assert await take(events, 1) == [b"d"]


async def test_more_than_one_request_brings_comes_in_order_up_to_the_last(connection: Client) -> None:
    names = [str(number) for number in range(2 * BATCH + 10)]
    await write(connection, *names)
    async with reading(connection, after=0, heartbeat_s=HEARTBEAT_S) as events:
        assert [body.decode() for body in await take_all(events)] == names


async def test_no_more_come_at_once_than_the_caller_wants(connection: Client) -> None:
    names = [str(number) for number in range(10)]
    await write(connection, *names)
    batches: list[list[str]] = []
    async with reading(connection, after=0, heartbeat_s=HEARTBEAT_S, at_once=3) as events:
        while not events.caught_up:
            batch = await events.batch()
            await connection.jetstream().stream_info(LIFECYCLE)  # all that was asked for has come by then
            batches.append([message.data.decode() for message in batch])
    assert [name for batch in batches for name in batch] == names
    assert max(map(len, batches)) <= 3


async def test_behind_the_last_message_there_is_nothing_to_wait_for(connection: Client) -> None:
    async with reading(connection, after=0, heartbeat_s=HEARTBEAT_S) as events:
        assert events.caught_up
    await write(connection, "a")
    async with reading(connection, after=0, heartbeat_s=HEARTBEAT_S) as events:
        assert not events.caught_up
    async with reading(connection, after=1, heartbeat_s=HEARTBEAT_S) as events:
        assert events.caught_up


async def test_an_idle_stream_gives_signs_of_life(connection: Client) -> None:
    async with reading(connection, after=0, heartbeat_s=HEARTBEAT_S) as events:
        for _ in range(3):
            assert await events.batch() == []
            assert events.caught_up


async def test_only_one_subject_is_read_and_bodies_are_left_out_when_asked(connection: Client) -> None:
    await write(connection, "a", "b", "a")
    async with reading(
        connection, after=0, heartbeat_s=HEARTBEAT_S, subject="lifecycle.a.*", headers_only=True
    ) as events:
        assert await take_all(events) == [b"", b""]


async def test_a_deleted_consumer_ends_the_reading(connection: Client) -> None:
    async with reading(connection, after=0, heartbeat_s=HEARTBEAT_S) as events:
        assert await events.batch() == []
        (consumer,) = await consumers(connection)
        await connection.jetstream().delete_consumer(LIFECYCLE, consumer)
        with pytest.raises(ReadingInterrupted, match="409 Consumer Deleted"):
            await take(events, 1)


async def test_a_stream_made_anew_ends_the_reading_and_is_told_by_its_state(connection: Client) -> None:
    await write(connection, "a")
    before = await stream_state(connection)
    assert before.last_sequence == 1
    async with reading(connection, after=1, heartbeat_s=HEARTBEAT_S) as events:
        assert await events.batch() == []
        await connection.jetstream().delete_stream(LIFECYCLE)
        await apply_topology(connection.jetstream(), replicas=1, ack_wait_s=5)
        with pytest.raises(ReadingInterrupted):
            await take(events, 1)
    after = await stream_state(connection)
    assert after.installation != before.installation
    assert after.last_sequence == 0


async def test_a_stream_that_is_missing_or_is_not_ours_cannot_be_read(connection: Client) -> None:
    jetstream = connection.jetstream()
    await jetstream.delete_stream(LIFECYCLE)
    with pytest.raises(ReadingInterrupted, match="NotFound"):
        await stream_state(connection)
    with pytest.raises(ReadingInterrupted, match="NotFound"):
        async with reading(connection, after=0, heartbeat_s=HEARTBEAT_S):
            pytest.fail("there is nothing to read")
    await jetstream.add_stream(StreamConfig(name=LIFECYCLE, subjects=[EVERY_EVENT]))
    with pytest.raises(ReadingInterrupted, match="does not say which installation"):
        await stream_state(connection)


async def test_a_message_lost_on_the_way_ends_the_reading(connection: Client, nats_url: str) -> None:
    async def lose_the_second(operation: Operation) -> bool:
        return not (operation.verb.endswith("MSG") and operation.raw.endswith(b"\r\nb\r\n"))

    await write(connection, "a", "b", "c")
    async with nats_proxy(nats_url) as proxy:
        proxy.to_client = lose_the_second
        reader = await connect(proxy.url, "reader")
        async with reading(reader, after=0, heartbeat_s=HEARTBEAT_S) as events:
            with pytest.raises(ReadingInterrupted, match="2 came, and 3 were sent"):
                await take_all(events)
        await reader.close()


async def test_a_sign_of_life_after_a_lost_message_is_no_proof_that_nothing_is_missing(
    connection: Client, nats_url: str
) -> None:
    async def lose_messages(operation: Operation) -> bool:
        return b"$JS.ACK" not in operation.raw

    async with nats_proxy(nats_url) as proxy:
        proxy.to_client = lose_messages
        reader = await connect(proxy.url, "reader")
        async with reading(reader, after=0, heartbeat_s=HEARTBEAT_S) as events:
            await write(connection, "a")
            with pytest.raises(ReadingInterrupted, match="0 came, and 1 were sent"):
                await take(events, 1)
        await reader.close()


async def test_silence_ends_the_reading(connection: Client, nats_url: str) -> None:
    async def swallow(operation: Operation) -> bool:
        return not operation.verb.endswith("MSG")

    async with nats_proxy(nats_url) as proxy:
        reader = await connect(proxy.url, "reader")
        async with reading(reader, after=0, heartbeat_s=HEARTBEAT_S) as events:
            assert await events.batch() == []
            proxy.to_client = swallow
            with pytest.raises(ReadingInterrupted, match="silent"):
                await take(events, 1)
        await reader.close()
    assert connection.is_connected


async def test_a_stall_of_the_own_loop_is_no_silence_of_the_server(monkeypatch: pytest.MonkeyPatch) -> None:
    """The message has come while the loop stood still, and takes some turns of it from the socket to the reader."""
    loop, stalled_s = asyncio.get_running_loop(), 0.0
    clock = loop.time
    monkeypatch.setattr(loop, "time", lambda: clock() + stalled_s)
    consumer = ConsumerInfo(name="c", stream_name=LIFECYCLE, config=ConsumerConfig(), created=AT, num_pending=0)
    events = StreamReader(cast("Client", Unheard()), "inbox", consumer, HEARTBEAT_S)
    reading = asyncio.create_task(events.batch())
    await asyncio.sleep(0)

    async def arrives() -> None:
        for _ in range(10):
            await asyncio.sleep(0)
        await events.arrive(Msg(_client=cast("Client", None), subject="inbox", headers=HEARTBEAT))

    stalled_s = 3600.0
    await arrives()
    assert await reading == []


async def test_a_closed_connection_ends_the_reading(connection: Client, nats_url: str) -> None:
    reader = await connect(nats_url, "reader")
    async with reading(reader, after=0, heartbeat_s=HEARTBEAT_S) as events:
        await reader.close()
        with pytest.raises(ReadingInterrupted):
            await take(events, 1)
    assert connection.is_connected


async def test_nothing_is_left_at_the_server_once_the_reading_ends(connection: Client) -> None:
    async with reading(connection, after=0, heartbeat_s=HEARTBEAT_S) as events:
        assert await events.batch() == []
        assert len(await consumers(connection)) == 1
    async with asyncio.timeout(120):
        while await consumers(connection):
            pass


async def test_what_goes_wrong_while_reading_stays_what_it_is(connection: Client) -> None:
    with pytest.raises(ConnectionResetError):
        async with reading(connection, after=0, heartbeat_s=HEARTBEAT_S):
            raise ConnectionResetError
