"""A hostile worker can end the request that it answers, and nothing else. All that it sends is limited in size."""

import asyncio
from collections.abc import Iterator
from itertools import repeat

import pytest

from services.api.upstream import ConnectionLost, Upstream
from tests.api.upstream.asking import ask, rest_of
from tests.api.upstream.raw_worker import a_json_answer, a_raw_worker, answering
from tests.api.upstream.wire import Wire, an_open_connection, asked

HEAD = b"HTTP/1.1 200 OK\r\n"
CHUNKED = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"
MOST = 200_000
"""Bytes. A client that accepts so many outside a body would accept any number."""

AHEAD = 131_072

IMPOSSIBLE = [
    *(
        b"HTTP/1.1 %b No\r\n\r\n" % status
        for status in (b"000", b"001", b"099", b"99", b"-20", b"600", b"999", b"2000")
    ),
    *(HEAD + b"Content-Length: %b\r\n\r\n{}" % length for length in (b"-2", b"+2", b"2, 2", b"0x2", b"1e400", b"NaN")),
    HEAD + b"Content-Length: 2\r\nContent-Length: 2\r\n\r\n{}",
    HEAD + b"Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
    HEAD + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    HEAD + b"Transfer-Encoding: identity\r\n\r\n",
    HEAD + b"X: 1\r\n folded\r\n\r\n",
    HEAD + b"X: \x00\r\n\r\n",
    HEAD + b"X y: 1\r\n\r\n",
    HEAD + b"X: 1\r\n" * 129 + b"Content-Length: 0\r\n\r\n",
    b"HTTP/1.1 204 No Content\r\nContent-Length: 2\r\n\r\n{}",
    b"HTTP/1.1 204 No Content\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
]


@pytest.mark.parametrize("said", IMPOSSIBLE)
async def test_what_no_worker_may_say_ends_its_request_alone(upstream: Upstream, said: bytes) -> None:
    async with a_raw_worker(answering(said), answering(a_json_answer())) as worker:
        with pytest.raises(ConnectionLost):
            await ask(upstream, worker.address)
        assert (await ask(upstream, worker.address)).body == b"{}"
        assert worker.accepted == 2


@pytest.mark.parametrize("said", [b"HTTP/1.1 204 No Content\r\n\r\n{}", a_json_answer() + b"HTTP/1.1 200 OK\r\n\r\n{}"])
async def test_what_comes_behind_an_answer_is_nobody_s_answer(upstream: Upstream, said: bytes) -> None:
    async with a_raw_worker(answering(said), answering(a_json_answer(b"[]"))) as worker:
        await ask(upstream, worker.address)
        assert (await ask(upstream, worker.address)).body == b"[]"
        assert worker.accepted == 2


@pytest.mark.parametrize(
    ("begun", "more"),
    [
        (b"", repeat(b"HTTP/1.1 100 Continue\r\n\r\n")),
        (HEAD, repeat(b"X-Endless: 1\r\n")),
        (HEAD + b"X-Endless: ", repeat(b"x")),
        (b"HTTP/1.1 200 ", repeat(b"x")),
        (CHUNKED + b"2;x=", repeat(b"x")),
        (CHUNKED + b"2\r\n{}\r\n0\r\nX-Endless: ", repeat(b"x")),
        (CHUNKED + b"2\r\n{}\r\n0\r\n", repeat(b"X-Endless: 1\r\n")),
        (CHUNKED + b"2\r\n{}\r\n0\r\nX", repeat(b"x")),
        (CHUNKED + b"2\r\n{}\r\n", repeat(b"0")),
    ],
    ids=["interim", "fields", "value", "reason", "extension", "trailer", "trailers", "trailer's name", "size"],
)
async def test_what_is_no_body_does_not_go_on_for_ever(begun: bytes, more: Iterator[bytes]) -> None:
    wire = Wire()
    connection = an_open_connection(wire)
    answer = asked(connection)
    connection.data_received(begun)
    said = 0
    while not wire.closed and said < MOST:
        piece = next(more)
        connection.data_received(piece)
        said += len(piece)
    assert said < MOST
    with pytest.raises(ConnectionLost):
        await rest_of(answer)


async def test_a_body_in_the_smallest_chunks_is_still_a_body() -> None:
    wire = Wire()
    connection = an_open_connection(wire)
    answer = asked(connection)
    connection.data_received(CHUNKED)
    received = 0
    for _ in range(30_000):
        connection.data_received(b"1;extended\r\nx\r\n")
        received += len(await answer.chunk())
    assert (received, wire.closed) == (30_000, False)


async def test_a_reader_that_comes_late_finds_no_more_than_so_much(upstream: Upstream) -> None:
    """What is read ahead for a slow client is in memory, a thousand times for a thousand of them."""
    whole = 4_000_000
    async with a_raw_worker(answering(a_json_answer(b"x" * whole))) as worker:
        async with upstream.ask(worker.address, b"POST", b"/v1/x", [], b"") as answer:
            found = []
            while chunk := await answer.chunk():
                found.append(len(chunk))
                for _ in range(5):
                    await asyncio.sleep(0)
        assert (sum(found), max(found) <= AHEAD) == (whole, True)
