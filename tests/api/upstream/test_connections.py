"""Which connection a request uses, and what happens to that connection."""

import asyncio
import socket
from collections.abc import Callable

import pytest

from services.api.upstream import Address, ConnectFailed, ConnectionLost, Silent, Stopping, Upstream
from services.api.upstream.connection import WorkerConnection
from tests.api.fakes import free_port
from tests.api.stage import until
from tests.api.upstream.asking import ask, rest_of
from tests.api.upstream.raw_worker import (
    PATIENCE_S,
    Conversation,
    Line,
    a_json_answer,
    a_raw_worker,
    answering,
    breaking_off_after,
)
from tests.api.upstream.wire import Wire

OK = a_json_answer(b"ok")


async def test_a_worker_that_refuses_is_told_apart_from_one_that_breaks_off(upstream: Upstream) -> None:
    with pytest.raises(ConnectFailed):
        await ask(upstream, Address("127.0.0.1", free_port()))
    assert upstream.in_use == 0


async def test_a_worker_that_does_not_take_the_connection_is_given_up_in_time() -> None:
    upstream = Upstream(connect_s=0.1, silence_s=10.0)
    with (
        socket.create_server(("127.0.0.1", 0), backlog=0) as full,
        socket.create_connection(full.getsockname()),
        pytest.raises(ConnectFailed),
    ):
        await ask(upstream, Address("127.0.0.1", full.getsockname()[1]))
    await upstream.close()


async def test_the_connection_that_was_used_last_is_used_next(upstream: Upstream) -> None:
    async def saying_its_port(line: Line) -> None:
        while True:
            await line.request()
            await line.say(a_json_answer(b"%d" % line.writer.get_extra_info("peername")[1]))

    async with a_raw_worker(saying_its_port) as worker:
        async with upstream.ask(worker.address, b"GET", b"/", (), b"") as first:
            async with upstream.ask(worker.address, b"GET", b"/", (), b"") as second:
                await rest_of(second)
            last = await rest_of(first)
        assert upstream.idle == 2
        for _ in range(3):
            assert (await ask(upstream, worker.address)).body == last
        assert worker.accepted == 2


@pytest.mark.parametrize(
    ("headers", "answer"), [([(b"Connection", b"close")], OK), ([], a_json_answer(b"ok", b"Connection: close"))]
)
async def test_a_connection_that_either_side_closes_is_not_kept(
    upstream: Upstream, headers: list[tuple[bytes, bytes]], answer: bytes
) -> None:
    async with a_raw_worker(answering(answer)) as worker:
        await ask(upstream, worker.address, headers=headers)
        assert upstream.idle == 0
        await worker.nobody()


@pytest.mark.parametrize("surplus", [b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n", b"?", b"HTT"])
async def test_a_connection_on_which_more_came_than_was_asked_for_is_not_kept(
    upstream: Upstream, surplus: bytes
) -> None:
    async with a_raw_worker(answering(OK + surplus)) as worker:
        assert (await ask(upstream, worker.address)).body == b"ok"
        assert upstream.idle == 0
        await worker.nobody()


async def test_what_nobody_asked_for_ends_an_idle_connection(upstream: Upstream) -> None:
    speak = asyncio.Event()

    async def speaking_up(line: Line) -> None:
        await line.request()
        await line.say(OK)
        await speak.wait()
        await line.say(b"HTTP/1.1 408 Request Timeout\r\n\r\n")
        await line.left()

    async with a_raw_worker(speaking_up) as worker:
        await ask(upstream, worker.address)
        speak.set()
        await worker.nobody()
        assert upstream.idle == 0


async def test_an_idle_connection_is_closed_after_its_time() -> None:
    brief = Upstream(connect_s=60.0, silence_s=60.0, kept_alive_s=0.05)
    async with a_raw_worker(answering(OK)) as worker:
        await ask(brief, worker.address)
        await worker.nobody()
    assert (brief.idle, brief.in_use) == (0, 0)
    await brief.close()


async def test_a_connection_that_its_worker_closes_is_forgotten(upstream: Upstream) -> None:
    async with a_raw_worker(breaking_off_after(OK)) as worker:
        await ask(upstream, worker.address)
        await worker.nobody()
        await until(lambda: _is_empty(upstream))
        assert not upstream._pool._idle
        await ask(upstream, worker.address)
        assert worker.accepted == 2


async def _is_empty(upstream: Upstream) -> bool:
    return not upstream.idle


@pytest.mark.parametrize("how", ["closed", "reset"])
async def test_a_kept_connection_that_is_lost_once_it_was_used_is_an_error_and_nothing_is_sent_again(
    upstream: Upstream, how: str
) -> None:
    async def closing_on_the_second_request(line: Line) -> None:
        await line.request()
        await line.say(OK)
        await line.reader.readexactly(1)  # the rest is left unread: closing is then a reset
        if how == "closed":
            await line.reader.read(1 << 20)

    async with a_raw_worker(closing_on_the_second_request, answering(OK)) as worker:
        await ask(upstream, worker.address)
        with pytest.raises(ConnectionLost):
            await ask(upstream, worker.address, body=b"{}")
        assert (worker.accepted, upstream.in_use) == (1, 0)


@pytest.mark.parametrize("farewell", [b"", b"HTTP/1.1 408 Request Timeout\r\n\r\n"])
async def test_a_kept_connection_that_its_worker_has_closed_is_not_used_even_if_nobody_has_noticed_yet(
    upstream: Upstream, farewell: bytes
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        address = Address(*listener.getsockname())
        first = asyncio.create_task(ask(upstream, address))
        with await _taken(listener) as worker_s_end:
            await _answered(worker_s_end)
            await first
            assert upstream.idle == 1
            worker_s_end.sendall(farewell)
        second = asyncio.create_task(ask(upstream, address))  # the event loop has not looked at the socket meanwhile
        with await _taken(listener) as another:
            await _answered(another)
            assert (await second).body == b"ok"


async def test_a_kept_connection_that_is_too_old_is_not_used_even_if_nobody_has_closed_it_yet() -> None:
    rarely = Upstream(connect_s=60.0, silence_s=60.0, kept_alive_s=60.0)
    async with a_raw_worker(answering(OK)) as worker:
        await ask(rarely, worker.address)
        (kept,) = rarely._pool._open
        kept.idle_since -= 61
        await ask(rarely, worker.address)
        assert worker.accepted == 2
        await rarely.close()


async def _taken(listener: socket.socket) -> socket.socket:
    listener.setblocking(False)
    async with asyncio.timeout(PATIENCE_S):
        accepted, _ = await asyncio.get_running_loop().sock_accept(listener)
    return accepted


async def _answered(connection: socket.socket) -> None:
    await asyncio.get_running_loop().sock_recv(connection, 1 << 16)
    await asyncio.get_running_loop().sock_sendall(connection, OK)


async def test_a_new_connection_that_ends_before_the_first_byte_is_an_error(upstream: Upstream) -> None:
    async with a_raw_worker(breaking_off_after(OK), breaking_off_after(b"")) as worker:
        await ask(upstream, worker.address)
        with pytest.raises(ConnectionLost):
            await ask(upstream, worker.address)
        assert worker.accepted == 2


async def test_a_connection_that_is_lost_before_it_was_ever_used_is_an_error_and_forgotten(
    upstream: Upstream, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def lost_at_once(
        made: Callable[[], WorkerConnection], *, sock: socket.socket
    ) -> tuple[Wire, WorkerConnection]:
        wire, connection = Wire(), made()
        sock.close()
        connection.connection_made(wire)
        wire.abort()
        connection.connection_lost(None)
        return wire, connection

    monkeypatch.setattr(asyncio.get_running_loop(), "create_connection", lost_at_once)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        async with asyncio.timeout(PATIENCE_S):
            with pytest.raises(ConnectionLost):
                await ask(upstream, Address(*listener.getsockname()))
    assert not upstream._pool._open


async def test_a_kept_connection_that_ends_after_the_first_byte_is_an_error(upstream: Upstream) -> None:
    async def breaking_off_the_second_answer(line: Line) -> None:
        await line.request()
        await line.say(OK)
        await line.request()
        await line.say(b"H")

    async with a_raw_worker(breaking_off_the_second_answer) as worker:
        await ask(upstream, worker.address)
        with pytest.raises(ConnectionLost):
            await ask(upstream, worker.address)
        assert worker.accepted == 1


async def test_when_nobody_listens_any_more_a_request_that_was_sent_is_lost_and_not_merely_refused(
    upstream: Upstream,
) -> None:
    async def accepting(line: Line) -> None:
        await line.request()
        await line.say(OK)
        await line.request()
        gone.close()

    gone = socket.create_server(("127.0.0.1", 0))
    address = Address("127.0.0.1", gone.getsockname()[1])
    conversation = asyncio.create_task(_accepted(gone, accepting))
    await ask(upstream, address)
    with pytest.raises(ConnectionLost):
        await ask(upstream, address)
    await conversation


async def _accepted(listener: socket.socket, conversation: Conversation) -> None:
    reader, writer = await asyncio.open_connection(sock=await _taken(listener))
    await conversation(Line(reader, writer))
    writer.close()


async def test_a_worker_that_says_nothing_is_given_up_in_time() -> None:
    upstream = Upstream(connect_s=60.0, silence_s=0.1)
    async with a_raw_worker(answering(b""), answering(OK[:-1])) as worker:
        with pytest.raises(Silent):
            await ask(upstream, worker.address)
        with pytest.raises(Silent):
            await ask(upstream, worker.address)
        await worker.nobody()
    await upstream.close()


async def test_closing_ends_what_is_empty_and_what_is_in_use(upstream: Upstream) -> None:
    async with a_raw_worker(answering(OK, OK[:-1])) as worker:
        await ask(upstream, worker.address)
        async with upstream.ask(worker.address, b"GET", b"/", (), b"") as answer:
            await ask(upstream, worker.address)
            await upstream.close()
            await worker.nobody()
            with pytest.raises(Stopping):
                await rest_of(answer)
            with pytest.raises(ConnectionLost):
                await ask(upstream, worker.address)
    assert (upstream.idle, upstream.in_use) == (0, 0)
