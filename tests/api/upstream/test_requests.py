"""The client sends the request unchanged, with its Host and its length."""

import pytest

from services.api.upstream import Address, Upstream
from services.api.upstream.request import head_of
from tests.api.upstream.asking import ask
from tests.api.upstream.raw_worker import Line, a_json_answer, a_raw_worker


async def test_a_request_carries_its_host_its_length_and_the_headers_it_was_given(upstream: Upstream) -> None:
    seen = []

    async def conversation(line: Line) -> None:
        seen.append(await line.request())
        await line.say(a_json_answer())
        await line.left()

    async with a_raw_worker(conversation) as worker:
        await ask(upstream, worker.address, headers=[(b"Authorization", b"Bearer k"), (b"X-Odd", b"\xff")], body=b"{}")
    host = b"host: 127.0.0.1:%d\r\n" % worker.address.port
    fields = host + b"content-length: 2\r\nAuthorization: Bearer k\r\nX-Odd: \xff\r\n\r\n"
    assert seen == [b"POST /v1/x HTTP/1.1\r\n" + fields + b"{}"]


async def test_a_worker_is_reached_by_ipv6(upstream: Upstream) -> None:
    async with a_raw_worker(_echoing_its_host, host="::1") as worker:
        told = await ask(upstream, worker.address)
    assert told.body == b"host: [::1]:%d" % worker.address.port


async def _echoing_its_host(line: Line) -> None:
    request = await line.request()
    await line.say(a_json_answer(request.split(b"\r\n")[1]))
    await line.left()


def test_where_a_request_goes_and_ends_is_never_taken_from_its_headers() -> None:
    given = [(b"Host", b"elsewhere"), (b"Content-Length", b"9"), (b"Transfer-Encoding", b"chunked"), (b"a", b"b")]
    head, _ = head_of(Address("10.0.0.1", 80), b"POST", b"/", given, b"12")
    assert head == b"POST / HTTP/1.1\r\nhost: 10.0.0.1:80\r\ncontent-length: 2\r\na: b\r\n\r\n"


@pytest.mark.parametrize("method", [b"GET", b"HEAD"])
def test_a_request_that_has_no_body_has_no_length(method: bytes) -> None:
    assert head_of(Address("h", 1), method, b"/", (), b"") == (method + b" / HTTP/1.1\r\nhost: h:1\r\n\r\n", False)


def test_a_post_without_a_body_says_so() -> None:
    assert b"content-length: 0\r\n" in head_of(Address("h", 1), b"POST", b"/", (), b"")[0]


@pytest.mark.parametrize("broken", [b"\r\nX-Smuggled: 1", b"\n", b"\r"])
def test_a_line_break_cannot_be_smuggled_into_a_request(broken: bytes) -> None:
    with pytest.raises(ValueError, match="line break"):
        head_of(Address("h", 1), b"POST", b"/", [(b"x-request-id", b"1" + broken)], b"")
    with pytest.raises(ValueError, match="line break"):
        head_of(Address("h", 1), b"POST", b"/" + broken, (), b"")
