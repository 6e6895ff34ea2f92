"""Answers have protective headers and the client's HTTP version, come in order, and have a time limit."""

import asyncio
from typing import Any

import pytest
from litestar.types import Receive, Scope, Send

from services.api.http.front.leaving import leaving_of
from services.api.http.front.limits import ClientLimits
from services.api.http.front.pushing import pushing_of
from tests.api.front.line import PATIENCE_S, Counting, a_line, answer

GET = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"


async def streams(_: Scope, __: Receive, send: Send) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"one", "more_body": True})
    await send({"type": "http.response.body", "body": b"two", "more_body": False})


async def test_http_1_0_is_answered_in_http_1_0() -> None:
    async with a_line(app=streams) as line:
        told = await line.told(b"GET / HTTP/1.0\r\n\r\n")
    assert told.startswith(b"HTTP/1.0 200 OK\r\n")
    assert b"chunked" not in told
    assert told.endswith(b"\r\n\r\nonetwo")


async def test_http_1_1_is_answered_in_chunks() -> None:
    async with a_line(app=streams) as line:
        told = await line.told(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    assert b"transfer-encoding: chunked\r\n" in told
    assert told.endswith(b"3\r\none\r\n3\r\ntwo\r\n0\r\n\r\n")


@pytest.mark.parametrize("asked", [GET, b"nonsense\r\n\r\n"])
async def test_every_answer_is_protected(asked: bytes) -> None:
    async with a_line() as line:
        client = await line.client(asked)
        told = await client.answer()
        client.writer.close()
    for expected in (
        b"x-content-type-options: nosniff\r\n",
        b"x-frame-options: DENY\r\n",
        b"content-security-policy: frame-ancestors 'none'\r\n",
        b"cache-control: no-store\r\n",
    ):
        assert expected in told


async def test_what_an_answer_says_itself_counts() -> None:
    async def keeps(_: Scope, __: Receive, send: Send) -> None:
        headers = [(b"Cache-Control", b"public, immutable"), (b"content-length", b"0")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": b"", "more_body": False})

    async with a_line(app=keeps) as line:
        client = await line.client(GET)
        told = await client.answer()
        client.writer.close()
    assert b"cache-control: public, immutable\r\n" in told
    assert told.count(b"cache-control") == 1
    assert b"x-frame-options: DENY\r\n" in told


@pytest.mark.parametrize("value", [b"a\r\nset-cookie: b", b"a\nb", b"a\0"])
async def test_a_header_never_becomes_two(value: bytes) -> None:
    async def splits(_: Scope, __: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": [(b"x", value)]})

    async with a_line(app=splits) as line:
        told = await line.told(GET)
    assert b"set-cookie" not in told
    assert told.startswith(b"HTTP/1.1 500 ")


async def test_requests_sent_ahead_are_answered_in_their_order_and_too_many_not_at_all() -> None:
    async with a_line(ClientLimits(pipelined=3)) as line:
        client = await line.client(b"".join(GET.replace(b"/", b"/%d" % number, 1) for number in range(1_000)))
        told = await client.rest()
        assert [scope["path"] for scope in line.app.asked] == ["/0", "/1", "/2", "/3"]
        assert told.count(b"HTTP/1.1 200 OK\r\n") == 4
        assert told.count(b"connection: close\r\n") == 1


async def test_nonsense_behind_a_request_that_is_being_answered_does_not_hurt_it() -> None:
    asked, go_on = asyncio.Event(), asyncio.Event()

    async def slow(_: Scope, __: Receive, send: Send) -> None:
        asked.set()
        await go_on.wait()
        await answer(send, 200, b"ok")

    async with a_line(app=slow) as line:
        client = await line.client(GET)
        await asked.wait()
        await client.say(b"nonsense\r\n\r\n")
        await asyncio.sleep(0)
        go_on.set()
        told = await client.rest()
    assert told.startswith(b"HTTP/1.1 200 OK\r\n")
    assert told.endswith(b"ok")


async def test_a_client_that_leaves_is_noticed_at_once() -> None:
    async with a_line() as line:
        client = await line.client(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nh")
        client.writer.close()
        async with asyncio.timeout(PATIENCE_S):
            await line.app.left.wait()


@pytest.mark.parametrize("watches_late", [False, True])
async def test_an_application_that_does_not_read_hears_that_its_client_has_left(*, watches_late: bool) -> None:
    asked, gone, left = asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def waits(scope: Scope, receive: Receive, _: Send) -> None:
        await receive()
        asked.set()
        if watches_late:
            await gone.wait()
        leaving_of(scope)(left.set)
        await left.wait()

    async with a_line(app=waits) as line, asyncio.timeout(PATIENCE_S):
        client = await line.client(GET)
        await asked.wait()
        client.writer.close()
        while line.front.state.connections:  # noqa: ASYNC110
            await asyncio.sleep(0)
        gone.set()
        await left.wait()


async def test_an_answer_whose_length_is_known_goes_out_in_one_piece() -> None:
    written: list[bytes] = []

    async def notes(_: Scope, __: Receive, send: Send) -> None:
        (connection,) = line.front.state.connections
        write = connection.write  # type: ignore[union-attr]

        def noted(piece: bytes) -> None:
            written.append(piece)
            write(piece)

        connection.write = noted  # type: ignore[union-attr]
        await answer(send, 200, b"ok")

    async with a_line(app=notes) as line:
        client = await line.client(GET)
        assert (await client.answer()).endswith(b"ok")
        client.writer.close()
    assert len(written) == 1


async def test_the_head_of_an_answer_that_fails_before_its_body_is_sent_all_the_same() -> None:
    async def fails(_: Scope, __: Receive, send: Send) -> None:
        headers = [(b"content-length", b"5")]
        await send({"type": "http.response.start", "status": 201, "headers": headers})
        raise ZeroDivisionError

    async with a_line(app=fails) as line:
        told = await line.told(GET)
    assert told.startswith(b"HTTP/1.1 201 Created\r\n")
    assert told.endswith(b"\r\n\r\n")


async def test_who_reads_nothing_of_an_answer_is_let_go() -> None:
    left = asyncio.Event()

    async def pours(_: Scope, __: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        line.front.look()
        try:
            while line.front.state.connections:
                await send({"type": "http.response.body", "body": b"a" * 100_000, "more_body": True})
        finally:
            left.set()

    async with a_line(app=pours) as line:
        client = await line.client(GET)
        (connection,) = line.front.state.connections
        client.reader._transport.pause_reading()  # type: ignore[attr-defined]
        while connection.writable is None:  # type: ignore[union-attr]  # noqa: ASYNC110
            await asyncio.sleep(0)
        line.later(0)
        line.later(29)
        assert not left.is_set()
        line.later(2)
        async with asyncio.timeout(PATIENCE_S):
            await left.wait()
        client.writer.close()


@pytest.mark.parametrize("fault", [ZeroDivisionError(), None])
async def test_an_application_that_does_not_answer_is_answered_for(fault: Exception | None) -> None:
    async def fails(*_: Any) -> None:
        if fault:
            raise fault

    async with a_line(app=fails) as line:
        told = await line.told(GET)
    assert told.startswith(b"HTTP/1.1 500 ")


async def test_what_fails_behind_its_answer_disturbs_nobody() -> None:
    async def fails(_: Scope, __: Receive, send: Send) -> None:
        await answer(send, 200, b"ok")
        raise ZeroDivisionError

    async with a_line(app=fails) as line:
        client = await line.client(GET + GET)
        for _ in range(2):
            assert (await client.answer()).endswith(b"ok")
        await client.say(GET)
        assert (await client.answer()).endswith(b"ok")
        client.writer.close()


async def test_of_a_large_answer_no_more_is_kept_than_of_many_small_ones() -> None:
    large = bytes(range(256)) * 40_000

    async def pours(_: Scope, __: Receive, send: Send) -> None:
        await answer(send, 200, large)

    async with a_line(app=pours) as line:
        client = await line.client(GET)
        (connection,) = line.front.state.connections
        client.reader._transport.pause_reading()  # type: ignore[attr-defined]
        while connection.writable is None:  # type: ignore[union-attr]  # noqa: ASYNC110
            await asyncio.sleep(0)
        assert connection._transport.get_write_buffer_size() < 200_000  # type: ignore[union-attr]
        client.reader._transport.resume_reading()  # type: ignore[attr-defined]
        assert (await client.answer()).endswith(b"\r\n\r\n" + large)
        client.writer.close()


async def test_parts_are_pushed_without_waiting_until_the_client_does_not_read() -> None:
    part, pushed = b"a" * 50_000, 0

    async def pushes(scope: Scope, _: Receive, send: Send) -> None:
        nonlocal pushed
        push = pushing_of(scope)
        await send({"type": "http.response.start", "status": 200, "headers": []})
        assert push(b"")
        while push(part):
            pushed += 1
            assert pushed < 1_000
        await send({"type": "http.response.body", "body": b"end", "more_body": False})

    async with a_line(app=pushes) as line:
        told = await line.told(GET.replace(b"1.1", b"1.0"))
        assert told.partition(b"\r\n\r\n")[2] == part * (pushed + 1) + b"end"


async def test_what_is_pushed_to_a_client_that_has_left_is_dropped() -> None:
    dropped = asyncio.Event()

    async def pushes(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        await send({"type": "http.response.start", "status": 200, "headers": []})
        assert (await receive())["type"] == "http.disconnect"
        assert pushing_of(scope)(b"late")
        dropped.set()

    async with a_line(app=pushes) as line:
        client = await line.client(GET)
        client.writer.close()
        async with asyncio.timeout(PATIENCE_S):
            await dropped.wait()


async def test_the_next_request_is_read_behind_an_upgrade_that_is_not_done() -> None:
    upgrade = b"GET /one HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n"
    async with a_line(app=(app := Counting())) as line:
        client = await line.client(upgrade + GET)
        assert (await client.answer()).endswith(b"ok")
        assert (await client.answer()).endswith(b"ok")
        client.writer.close()
    assert [scope["path"] for scope in app.asked] == ["/one", "/"]
