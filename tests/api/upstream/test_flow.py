"""No side gets more than it can take, and no side waits for the other without need."""

import asyncio
import socket
from collections.abc import Callable

import pytest

from services.api.upstream import Answer, Silent, Upstream
from tests.api.upstream.asking import ask, rest_of
from tests.api.upstream.raw_worker import PATIENCE_S, Line, a_json_answer, a_raw_worker, answering
from tests.api.upstream.wire import Wire, an_open_connection, asked

HEAD = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n"
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
LARGE = bytes(range(256)) * 32_000


async def test_a_large_body_reaches_its_worker_whole_and_its_answer_us(upstream: Upstream) -> None:
    async def echoing(line: Line) -> None:
        for _ in range(2):
            await line.say(a_json_answer((await line.request()).partition(b"\r\n\r\n")[2]))
        await line.left()

    async with a_raw_worker(echoing) as worker:
        assert (await ask(upstream, worker.address, body=LARGE)).body == LARGE
        assert (await ask(upstream, worker.address, body=LARGE)).body == LARGE
        assert worker.accepted == 1


async def test_a_worker_may_answer_without_having_read_the_request(upstream: Upstream) -> None:
    async def refusing(line: Line) -> None:
        await line.reader.readuntil(b"\r\n\r\n")
        line.writer.transport.pause_reading()  # type: ignore[attr-defined]
        await line.say(b"HTTP/1.1 413 Too Large\r\nContent-Length: 4\r\n\r\nlong")
        await refused.wait()
        line.writer.transport.resume_reading()  # type: ignore[attr-defined]
        await line.left()

    refused = asyncio.Event()
    async with a_raw_worker(refusing) as worker:
        told = await ask(upstream, worker.address, body=LARGE)
        refused.set()
        assert (told.status, told.body) == (413, b"long")
        assert upstream.idle == 0
        await worker.nobody()


async def test_a_request_goes_on_while_its_answer_has_begun(upstream: Upstream) -> None:
    async def answering_first(line: Line) -> None:
        await line.reader.readuntil(b"\r\n\r\n")
        await line.say(HEAD % len(LARGE))
        await begun.wait()
        await line.say(await line.reader.readexactly(len(LARGE)))
        await line.left()

    begun = asyncio.Event()
    async with (
        a_raw_worker(answering_first) as worker,
        upstream.ask(worker.address, b"POST", b"/", (), LARGE) as answer,
    ):
        begun.set()
        assert await rest_of(answer) == LARGE


async def test_a_worker_that_takes_no_more_of_a_request_is_silent() -> None:
    async def not_reading(line: Line) -> None:
        line.writer.transport.pause_reading()  # type: ignore[attr-defined]
        await given_up.wait()

    given_up = asyncio.Event()
    upstream = Upstream(connect_s=60.0, silence_s=0.1)
    async with a_raw_worker(not_reading) as worker, asyncio.timeout(PATIENCE_S):
        with pytest.raises(Silent):
            await ask(upstream, worker.address, body=LARGE)
        given_up.set()
    await upstream.close()


async def test_small_writes_are_not_held_back(upstream: Upstream) -> None:
    async with a_raw_worker(answering(a_json_answer())) as worker:
        await ask(upstream, worker.address)
        (connection,) = upstream._pool._open
        sock = connection._transport.get_extra_info("socket")
        assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)


async def test_what_has_come_meanwhile_is_taken_at_once_and_a_full_buffer_stops_the_worker() -> None:
    wire = Wire()
    connection = an_open_connection(wire)
    answer = asked(connection)
    connection.data_received(HEAD % 200_000)
    connection.data_received(b"a" * 40_000)
    assert wire.reading
    connection.data_received(b"b" * 40_000)
    assert not wire.reading
    connection.data_received(b"c" * 40_000)  # had been read already
    assert await answer.chunk() == b"a" * 40_000 + b"b" * 40_000 + b"c" * 40_000
    assert wire.reading


async def waiting(answer: Answer, take: Callable[[bytes], bool]) -> asyncio.Task[bytes]:
    task = asyncio.ensure_future(answer.chunk(take))
    await asyncio.sleep(0)
    return task


async def test_the_chunks_that_one_read_brings_are_handed_over_together_without_a_switch_of_tasks() -> None:
    taken: list[bytes] = []

    def take(data: bytes) -> bool:
        taken.append(data)
        return True

    connection = an_open_connection(Wire())
    answer = asked(connection)
    connection.data_received(CHUNKED)
    reader = await waiting(answer, take)
    connection.data_received(b"1\r\na\r\n1\r\nb\r\n1\r\nc\r\n1")
    connection.data_received(b"\r\nd\r\n0\r\n\r\n")
    assert taken == [b"abc", b"d"]
    assert await reader == b""


async def test_what_arrives_after_a_taker_has_had_enough_is_kept_until_the_buffer_is_full() -> None:
    taken: list[bytes] = []

    def take(data: bytes) -> bool:
        taken.append(data)
        return False

    wire = Wire()
    connection = an_open_connection(wire)
    answer = asked(connection)
    connection.data_received(HEAD % 200_000)
    reader = await waiting(answer, take)
    for letter in b"abc":
        connection.data_received(bytes([letter]) * 40_000)
    assert taken == [b"a" * 40_000]
    assert not wire.reading
    assert await reader == b"b" * 40_000 + b"c" * 40_000
    assert wire.reading


async def test_the_reader_gets_the_error_of_a_taker_and_what_arrives_after_it() -> None:
    def take(_: bytes) -> bool:
        raise ZeroDivisionError

    connection = an_open_connection(Wire())
    answer = asked(connection)
    connection.data_received(HEAD % 6)
    reader = await waiting(answer, take)
    connection.data_received(b"abc")
    connection.data_received(b"def")
    with pytest.raises(ZeroDivisionError):
        await reader
    assert await answer.chunk() == b"def"


async def test_a_taker_of_a_reader_that_was_cancelled_disturbs_nobody() -> None:
    def take(_: bytes) -> bool:
        raise ZeroDivisionError

    connection = an_open_connection(Wire())
    answer = asked(connection)
    connection.data_received(HEAD % 6)
    reader = await waiting(answer, take)
    reader.cancel()
    connection.data_received(b"abc")
    with pytest.raises(asyncio.CancelledError):
        await reader
    connection.data_received(b"def")
    assert await answer.chunk() == b"def"


async def test_a_connection_whose_answer_ended_in_a_full_buffer_is_read_again() -> None:
    wire = Wire()
    connection = an_open_connection(wire)
    answer = asked(connection)
    connection.data_received(HEAD % 100_000 + b"a" * 70_000)
    connection.data_received(b"a" * 30_000)
    assert wire.reading
    assert connection.reusable
    assert await answer.chunk() == b"a" * 100_000


async def test_a_body_is_handed_over_only_as_far_as_the_socket_takes_it() -> None:
    wire = Wire()
    connection = an_open_connection(wire)
    connection.pause_writing()
    asked(connection, LARGE)
    assert sum(map(len, wire.sent)) == 0
    connection.resume_writing()
    assert b"".join(wire.sent) == LARGE
    assert max(map(len, wire.sent)) < 300_000


async def test_nothing_more_is_handed_to_a_socket_that_has_closed() -> None:
    class Breaking(Wire):
        def write(self, data: bytes | bytearray | memoryview) -> None:
            super().write(data)
            self.closed = len(self.sent) > 1

    wire = Breaking()
    asked(an_open_connection(wire), LARGE)
    assert len(wire.sent) == 2
