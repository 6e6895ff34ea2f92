"""The client returns exactly the bytes of the answer, or an error that says what went wrong."""

import asyncio
import struct
from socket import SO_LINGER, SOL_SOCKET

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.api.upstream import ConnectionLost, Upstream
from tests.api.upstream.asking import Told, ask, rest_of
from tests.api.upstream.raw_worker import (
    PATIENCE_S,
    Line,
    a_json_answer,
    a_raw_worker,
    answering,
    breaking_off_after,
)
from tests.api.upstream.wire import Wire, an_open_connection, asked

CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"


@pytest.mark.parametrize(
    ("said", "body"),
    [
        (a_json_answer(b"0123456789"), b"0123456789"),
        (a_json_answer(b""), b""),
        (CHUNKED + b"3\r\nabc\r\n2;x=y\r\nde\r\n0\r\nX-Trailer: 1\r\n\r\n", b"abcde"),
        (CHUNKED.replace(b"chunked", b"Chunked") + b"0\r\n\r\n", b""),
        (b"HTTP/1.1 204 No Content\r\n\r\n", b""),
        (b"HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n", b""),
        (b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Hints\r\nLink: x\r\n\r\n" + a_json_answer(b"ab"), b"ab"),
    ],
)
async def test_an_answer_ends_where_it_says_and_its_connection_serves_again(
    upstream: Upstream, said: bytes, body: bytes
) -> None:
    async with a_raw_worker(answering(said, said)) as worker:
        assert (await ask(upstream, worker.address)).body == body
        assert (await ask(upstream, worker.address)).body == body
        assert (worker.accepted, upstream.idle, upstream.in_use) == (1, 1, 0)


async def test_an_answer_without_a_length_ends_with_its_connection(upstream: Upstream) -> None:
    async with a_raw_worker(breaking_off_after(b"HTTP/1.0 200 OK\r\n\r\nall of it")) as worker:
        assert (await ask(upstream, worker.address)).body == b"all of it"
        assert (await ask(upstream, worker.address)).body == b"all of it"
        assert worker.accepted == 2


async def test_the_answer_to_a_head_request_has_no_body(upstream: Upstream) -> None:
    async with a_raw_worker(answering(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n")) as worker:
        told = await ask(upstream, worker.address, method=b"HEAD")
        assert told == Told(200, [(b"content-length", b"5")], b"")
        assert upstream.idle == 0


async def test_headers_come_back_as_they_were_sent_with_their_names_in_lower_case(upstream: Upstream) -> None:
    said = a_json_answer(b"", b"X-B: Two", b"X-A:  \xe9 ", b"x-b: one")
    async with a_raw_worker(answering(said)) as worker:
        told = await ask(upstream, worker.address)
    assert told.headers == [(b"content-length", b"0"), (b"x-b", b"Two"), (b"x-a", b"\xe9"), (b"x-b", b"one")]


@pytest.mark.parametrize(
    ("said", "body"),
    [
        (b"", None),
        (b"HTTP/1.1 200 OK\r\nContent-Le", None),
        (b"HTTP/1.1 100 Continue\r\n\r\n", None),
        (b"SSH-2.0-OpenSSH_9.6\r\n", None),
        (b"HTTP/1.1 200 OK\r\nContent-Length: many\r\n\r\n", None),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab", None),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n", None),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", None),
        (b"HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n", None),
        (b"HTTP/1.1 101 Switching Protocols\r\n\r\n", None),
        (b"HTTP/1.1 200 OK\r\nX: " + b"x" * 70_000 + b"\r\n\r\n", None),
        (b"HTTP/1.1 200 OK\r\n" + b"X: 1234567890\r\n" * 9_000 + b"\r\n", None),
        (b"HTTP/1.1 100 Continue\r\n\r\n" * 9_000, None),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc", b"abc"),
        (CHUNKED + b"3\r\nabc\r\n", b"abc"),
        (CHUNKED + b"3\r\nabc\r\n0\r\n", b"abc"),
        (CHUNKED + b"3\r\nabc\r\nno number\r\n", b"abc"),
        (CHUNKED + b"3\r\nabcd\r\n", b"abc"),
        (CHUNKED + b"3\r\nabc\r\n0\r\n" + b"X: 1234567890\r\n" * 9_000, b"abc"),
    ],
)
async def test_what_is_no_whole_answer_is_an_error_after_what_was_there_of_it(
    upstream: Upstream, said: bytes, body: bytes | None
) -> None:
    async with a_raw_worker(breaking_off_after(said)) as worker:
        if body is None:
            with pytest.raises(ConnectionLost):
                await ask(upstream, worker.address)
        else:
            async with upstream.ask(worker.address, b"GET", b"/", (), b"") as answer:
                received = b""
                while len(received) < len(body):
                    received += await answer.chunk()
                with pytest.raises(ConnectionLost):
                    await answer.chunk()
            assert received == body
        assert worker.accepted == 1
        await worker.nobody()
    assert upstream.in_use == 0


@pytest.mark.parametrize(
    "said",
    [b"HTTP/1.1 200 OK\r\nX: " + b"x" * 70_000, b"HTTP/1.1 100 Continue\r\n\r\n" * 9_000],
    ids=["field", "interim"],
)
async def test_a_head_without_an_end_is_not_waited_for(upstream: Upstream, said: bytes) -> None:
    async with a_raw_worker(answering(said)) as worker:
        with pytest.raises(ConnectionLost):
            await ask(upstream, worker.address)


async def test_a_reset_in_the_middle_of_an_answer_without_a_length_is_not_its_end(upstream: Upstream) -> None:
    go_on = asyncio.Event()

    async def conversation(line: Line) -> None:
        await line.request()
        await line.say(b"HTTP/1.1 200 OK\r\n\r\nhalf")
        await go_on.wait()
        sock = line.writer.get_extra_info("socket")
        sock.setsockopt(SOL_SOCKET, SO_LINGER, struct.pack("ii", 1, 0))
        line.reset()

    async with (
        a_raw_worker(conversation) as worker,
        upstream.ask(worker.address, b"GET", b"/", (), b"") as answer,
    ):
        assert await answer.chunk() == b"half"
        go_on.set()
        with pytest.raises(ConnectionLost):
            await answer.chunk()


async def test_a_head_that_arrives_in_many_small_pieces_is_not_too_long(upstream: Upstream) -> None:
    said = a_json_answer(b"ok", *[b"X-%d: " % number + b"x" * 1_000 for number in range(50)])

    async def conversation(line: Line) -> None:
        await line.request()
        for start in range(0, len(said), 1_000):
            await line.say(said[start : start + 1_000])
            await asyncio.sleep(0)
        await line.left()

    async with a_raw_worker(conversation) as worker:
        assert (await ask(upstream, worker.address)).body == b"ok"


FRAME = 'data: {"delta":"né 🚀"}\r\n\r\n: odd\n\ndata: [DONE]\n\n'.encode()


async def test_a_stream_that_is_cut_at_any_byte_arrives_as_it_is_cut(upstream: Upstream) -> None:
    taken = asyncio.Event()

    async def conversation(line: Line) -> None:
        for cut in range(1, len(FRAME)):
            await line.request()
            await line.say(CHUNKED)
            for part in (FRAME[:cut], FRAME[cut:]):
                await line.say(b"%x\r\n%b\r\n" % (len(part), part))
                await taken.wait()
                taken.clear()
            await line.say(b"0\r\n\r\n")
        await line.left()

    async with a_raw_worker(conversation) as worker, asyncio.timeout(PATIENCE_S):
        for cut in range(1, len(FRAME)):
            async with upstream.ask(worker.address, b"GET", b"/", (), b"") as answer:
                for part in (FRAME[:cut], FRAME[cut:]):
                    assert await answer.chunk() == part
                    taken.set()
                assert await answer.chunk() == b""


NAMES = st.sampled_from([b"X-One", b"x-two", b"Content-Type"])
VALUES = st.text("abc \xe9;=,", max_size=8).map(lambda text: text.strip().encode("latin-1"))


@st.composite
def answers(draw: st.DrawFn) -> tuple[bytes, Told]:
    """A valid answer in bytes, and what it means."""
    status, body = draw(st.sampled_from([200, 404, 503])), draw(st.binary(max_size=200))
    headers = draw(st.lists(st.tuples(NAMES, VALUES), max_size=3))
    match draw(st.sampled_from(["length", "chunked", "close"])):
        case "length":
            headers.append((b"Content-Length", b"%d" % len(body)))
            coded = body
        case "chunked":
            headers.insert(0, (b"Transfer-Encoding", b"chunked"))
            size = draw(st.integers(1, 50))
            parts = [body[start : start + size] for start in range(0, len(body), size)]
            trailer = draw(st.sampled_from([b"", b"X-Trailer: 1\r\n"]))
            coded = b"".join(b"%X\r\n%b\r\n" % (len(part), part) for part in parts) + b"0\r\n" + trailer + b"\r\n"
        case _:
            coded = body
    interim = draw(st.sampled_from([b"", b"HTTP/1.1 100 Continue\r\n\r\n", b"HTTP/1.1 103 Hints\r\nLink: a\r\n\r\n"]))
    head = b"HTTP/1.1 %d Reason\r\n" % status + b"".join(b"%b: %b\r\n" % field for field in headers) + b"\r\n"
    return interim + head + coded, Told(status, [(name.lower(), value) for name, value in headers], body)


@given(answer=answers(), data=st.data())
@settings(max_examples=300)
def test_no_segmentation_of_an_answer_changes_what_it_says(answer: tuple[bytes, Told], data: st.DataObject) -> None:
    said, expected = answer
    cuts = sorted(data.draw(st.sets(st.integers(1, len(said) - 1), max_size=20)))
    segments = [said[start:end] for start, end in zip([0, *cuts], [*cuts, len(said)], strict=True)]

    async def told() -> Told:
        connection = an_open_connection(Wire())
        answer = asked(connection)
        for segment in segments:
            connection.data_received(segment)
        connection.eof_received()
        await answer.head()
        return Told(answer.status, answer.headers, await rest_of(answer))

    with asyncio.Runner() as runner:
        assert runner.run(told()) == expected
