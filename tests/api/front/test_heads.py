"""A head has limits of size and time before its sender is known."""

import json
import tracemalloc
from collections.abc import Generator
from contextlib import contextmanager

import pytest

from services.api.http.front.limits import ClientLimits
from tests.api.front.line import VALID, a_line

GET = b"GET / HTTP/1.1\r\nHost: x\r\n"
CHUNKED = b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
BEARER = b"Authorization: Bearer valid\r\n"
MEGABYTE = 1_000_000
SENT = 32


@contextmanager
def holding_less_than(most: int) -> Generator[None]:
    tracemalloc.start()
    try:
        yield
        assert tracemalloc.get_traced_memory()[1] < most
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(
    "begun", [GET + b"X: ", CHUNKED + b"0\r\nX: ", CHUNKED + b"5;"], ids=["head", "trailer", "chunk"]
)
async def test_what_never_ends_is_refused_and_kept_nowhere(begun: bytes) -> None:
    async with a_line() as line:
        with holding_less_than(8 * MEGABYTE):
            client = await line.client(begun)
            for _ in range(SENT):
                await client.say(b"a" * MEGABYTE)
            told = await client.answer()
        client.writer.close()
    assert told.startswith(b"HTTP/1.1 431 ")
    assert json.loads(told.partition(b"\r\n\r\n")[2])["code"] == "head_too_large"
    assert not line.app.bodies


@pytest.mark.parametrize(
    ("head", "status", "code"),
    [
        (b"GET /" + b"a" * 9_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n", 414, "target_too_long"),
        (GET + b"A: b\r\n" * 101 + b"\r\n", 431, "too_many_headers"),
        (GET + b"A: " + b"b" * 40_000 + b"\r\n\r\n", 431, "head_too_large"),
        (GET + BEARER + BEARER + b"\r\n", 400, "header_repeated"),
        (GET + b"Host: y\r\n\r\n", 400, "header_repeated"),
        (GET + b"Content-Length: 1\r\nContent-Length: 1\r\n\r\na", 400, "bad_request"),
        (b"what is this?\r\n\r\n", 400, "bad_request"),
        (b"GET / HTTP/1.1\r\n\r\n", 400, "host_missing"),
        (b"GET / HTTP/2.0\r\nHost: x\r\n\r\n", 400, "bad_request"),
        (CHUNKED.replace(b"chunked", b"gzip, chunked") + b"0\r\n\r\n", 400, "bad_request"),
        (CHUNKED.replace(b"chunked", b"identity\r\nTransfer-Encoding: chunked") + b"0\r\n\r\n", 400, "header_repeated"),
        (GET + b"Upgrade: h2c\r\nConnection: Upgrade\r\nContent-Length: 2\r\n\r\nhi", 400, "upgrade_with_body"),
    ],
)
async def test_a_head_that_will_not_do_is_told_so_as_a_problem_document(head: bytes, status: int, code: str) -> None:
    async with a_line() as line:
        told = await line.told(head)
    assert told.startswith(b"HTTP/1.1 %d " % status)
    assert b"content-type: application/problem+json\r\n" in told
    assert json.loads(told.partition(b"\r\n\r\n")[2])["code"] == code
    assert not line.app.asked


@pytest.mark.parametrize(
    ("begun", "code"),
    [
        (b"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nX: " + b"a" * 40_000, "head_too_large"),
        (b"GET /v1/\xff HTTP/1.1\r\nHost: x\r\n\r\n", "bad_request"),
        (b"get /v1/models HTTP/1.1\r\nHost: x\r\n\r\n", "bad_request"),
    ],
)
async def test_under_v1_it_is_told_in_openai_s_shape(begun: bytes, code: str) -> None:
    async with a_line() as line:
        told = await line.told(begun)
    assert json.loads(told.partition(b"\r\n\r\n")[2])["error"]["code"] == code


async def test_a_head_as_large_as_is_allowed_is_answered() -> None:
    limits = ClientLimits()
    padding = limits.head_bytes - len(GET) - len(b"A: \r\n\r\n")
    async with a_line(limits) as line:
        client = await line.client(GET + b"A: " + b"b" * padding + b"\r\n\r\n")
        assert (await client.answer()).endswith(b"ok")
        client.writer.close()


async def test_half_a_head_has_its_time_however_slowly_more_of_it_comes() -> None:
    async with a_line() as line:
        other = await line.client(GET + b"\r\n")
        await other.answer()
        half, silent = await line.client(GET), await line.client()
        await other.say(GET + b"\r\n")
        await other.answer()
        line.later(9)
        await half.say(b"A: b\r\n")
        await other.say(GET + b"\r\n")
        await other.answer()
        line.later(2)
        told = await half.rest()
        assert told.startswith(b"HTTP/1.1 408 ")
        assert b"connection: close\r\n" in told
        assert await silent.rest() == b"", "nothing was asked"
        await other.say(GET + b"\r\n")
        assert (await other.answer()).endswith(b"ok"), "between two requests there is more time"
        line.later(76)
        assert await other.rest() == b""


async def test_trailers_are_no_headers() -> None:
    async with a_line() as line:
        client = await line.client(CHUNKED + b"2\r\nhi\r\n0\r\n" + BEARER + b"\r\n")
        assert (await client.answer()).endswith(b"ok")
        client.writer.close()
    (scope,) = line.app.asked
    assert line.app.bodies == [b"hi"]
    assert VALID not in scope["headers"]
