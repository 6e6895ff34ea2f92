"""A caller that leaves a request before its end closes the connection at once, before any time limit of ours."""

import asyncio
import random
import socket
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress

import psutil
import pytest

from services.api.upstream import Address, Answer, Upstream
from tests.api.stage import until
from tests.api.upstream.asking import ask, rest_of
from tests.api.upstream.raw_worker import PATIENCE_S, Line, RawWorker, a_json_answer, a_raw_worker

LARGE = b"x" * 8_000_000


@asynccontextmanager
async def a_slow_worker(said: bytes, *, reads: bool = True) -> AsyncGenerator[tuple[RawWorker, asyncio.Event]]:
    """It sends only this part of its answer, sets the event, and then waits."""
    waits = asyncio.Event()

    async def conversation(line: Line) -> None:
        if reads:
            await line.request()
        await line.say(said)
        waits.set()
        await line.left()

    async with a_raw_worker(conversation) as worker:
        yield worker, waits


@pytest.mark.parametrize(
    "said",
    [b"", b"HTTP/1.1 200 OK\r\nContent-", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n"],
    ids=["before the answer", "in its head", "in its body"],
)
async def test_a_cancelled_request_is_closed_at_once(upstream: Upstream, said: bytes) -> None:
    async with a_slow_worker(said) as (worker, waits):
        asking = asyncio.create_task(ask(upstream, worker.address))
        await waits.wait()
        await asyncio.sleep(0)
        asking.cancel()
        await worker.nobody()
        await asyncio.wait([asking])
        assert asking.cancelled()
    assert (upstream.in_use, upstream.idle) == (0, 0)


async def test_a_request_that_is_cancelled_while_it_is_being_sent_is_closed_at_once(upstream: Upstream) -> None:
    async def not_reading(line: Line) -> None:
        line.writer.transport.pause_reading()  # type: ignore[attr-defined]
        connected.set()
        await cancelled.wait()
        line.writer.transport.resume_reading()  # type: ignore[attr-defined]
        await line.left()

    connected, cancelled = asyncio.Event(), asyncio.Event()
    async with a_raw_worker(not_reading) as worker:
        asking = asyncio.create_task(ask(upstream, worker.address, body=LARGE))
        await connected.wait()
        asking.cancel()
        cancelled.set()
        await worker.nobody()
    assert upstream.in_use == 0


async def test_a_request_that_is_cancelled_while_it_connects_leaves_no_socket() -> None:
    upstream = Upstream(connect_s=3600.0, silence_s=3600.0)
    with socket.create_server(("127.0.0.1", 0), backlog=0) as full, socket.create_connection(full.getsockname()) as one:
        address = Address("127.0.0.1", full.getsockname()[1])
        asking = asyncio.create_task(ask(upstream, address))
        await until(lambda: _connecting(address, but=one))
        asking.cancel()
        async with asyncio.timeout(PATIENCE_S):
            await asyncio.wait([asking])
        await asyncio.sleep(0)
        assert _sockets_to(address, but=one) == 0
    await upstream.close()


async def _connecting(address: Address, *, but: socket.socket) -> bool:
    return _sockets_to(address, but=but) == 1


def _sockets_to(address: Address, *, but: socket.socket) -> int:
    ours = [(each.raddr, each.laddr) for each in psutil.Process().net_connections("tcp4") if each.raddr]
    return sum(tuple(there) == address[:2] and tuple(here) != but.getsockname() for there, here in ours)


async def test_leaving_in_the_middle_of_an_answer_closes_it_at_once_whatever_is_still_to_read(
    upstream: Upstream,
) -> None:
    async with a_slow_worker(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc") as (worker, waits):
        async with upstream.ask(worker.address, b"GET", b"/", (), b""):
            await waits.wait()
        await worker.nobody()
        with suppress(ZeroDivisionError):
            async with upstream.ask(worker.address, b"GET", b"/", (), b"") as answer:
                assert await answer.chunk() == b"abc"
                raise ZeroDivisionError
        await worker.nobody()
    assert (upstream.in_use, upstream.idle) == (0, 0)


async def test_a_thousand_requests_that_are_aborted_anywhere_leave_nothing_in_use(upstream: Upstream) -> None:
    chance = random.Random(1)  # noqa: S311  which requests go when has to be the same every time
    parts = [b"HTTP/1.1 200 OK\r\n", b"Transfer-Encoding: chunked\r\n\r\n", *[b"1\r\nx\r\n"] * 5, b"0\r\n\r\n"]

    async def step_by_step(line: Line) -> None:
        while True:
            await line.request()
            for part in parts:
                await line.say(part)
                await asyncio.sleep(0)

    async def aborted(after: int) -> bool:
        asking = asyncio.create_task(ask(upstream, worker.address, body=b"{}"))
        for _ in range(after):
            await asyncio.sleep(0)
        asking.cancel()
        await asyncio.wait([asking])
        return asking.cancelled()

    async with a_raw_worker(step_by_step) as worker, asyncio.timeout(PATIENCE_S):
        gone = 0
        while gone < 1_000:  # some were answered before they could be aborted
            gone += sum(await asyncio.gather(*(aborted(chance.randrange(40)) for _ in range(50))))
        assert upstream.in_use == 0
        assert (await ask(upstream, worker.address)).body == b"xxxxx"
        await upstream.close()
        await worker.nobody()


async def test_an_answer_that_is_all_there_keeps_its_connection_even_if_nobody_read_it(upstream: Upstream) -> None:
    async def conversation(line: Line) -> None:
        for _ in range(2):
            await line.request()
            await line.say(a_json_answer(b"ok"))
        await line.left()

    async with a_raw_worker(conversation) as worker:
        async with upstream.ask(worker.address, b"GET", b"/", (), b"") as answer:
            await until(lambda: _all_there(answer))
        async with upstream.ask(worker.address, b"GET", b"/", (), b"") as answer:
            assert await rest_of(answer) == b"ok"
        assert worker.accepted == 1


async def _all_there(answer: Answer) -> bool:
    return answer.ended
