"""Receivers that lie, hang, redirect or are not who they say: none costs more than its time limit."""

import asyncio
import ssl
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from cryptography.x509.oid import ExtendedKeyUsageOID

from services.webhooks.sender import Delivered, Gone, NotDelivered, Outcome, Sender
from services.webhooks.settings import WebhooksSettings
from shared.certificates import certified
from tests.webhooks.receiver import answering, receiving
from tests.webhooks.stage import a_pace

NOWHERE = "postgresql://127.0.0.1:9/none"
LIMIT_S = 2.0
Speak = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


def settings(**overrides: Any) -> WebhooksSettings:
    return a_pace("nats://127.0.0.1:9", NOWHERE, **{"webhooks_timeout_seconds": LIMIT_S} | overrides)


async def sent(url: str, **overrides: Any) -> Outcome:
    async with asyncio.timeout(120), Sender.open(settings(**overrides)) as sender:
        return await sender.send(url, {"webhook-id": "1"}, b"{}")


@asynccontextmanager
async def speaking(speak: Speak) -> AsyncGenerator[str]:
    """A server that says whatever it likes, once it has the request's head."""
    tasks: set[asyncio.Task[Any]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        try:
            await reader.readuntil(b"\r\n\r\n")
            await speak(reader, writer)
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
    finally:
        server.close()
        for task in tasks:
            task.cancel()


async def hang(_: asyncio.StreamReader, __: asyncio.StreamWriter) -> None:
    await asyncio.Event().wait()


async def leave(_: asyncio.StreamReader, __: asyncio.StreamWriter) -> None:
    pass


async def babble(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"\x00\xff no HTTP at all\r\n\r\n")
    await writer.drain()


async def endless_headers(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\n")
    while True:
        writer.write(b"x: " + b"a" * 4000 + b"\r\n")
        await writer.drain()


async def endless_body(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 999999999999\r\n\r\n")
    while True:
        writer.write(b"a" * 65_536)
        await writer.drain()


async def drop_by_drop(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    for each in b"HTTP/1.1 200 OK\r\nx: " + b"a" * 1000:
        writer.write(bytes([each]))
        await writer.drain()
        await asyncio.sleep(0.05)  # as slow as the test is about


@pytest.mark.parametrize(
    ("speak", "told"),
    [
        (hang, "no answer within 2 s"),
        (drop_by_drop, "no answer within 2 s"),
        (leave, "it closed the connection without an answer"),
        (babble, "no valid answer"),
        (endless_headers, "no valid answer"),
    ],
)
async def test_what_is_no_answer_is_a_failed_try(speak: Speak, told: str) -> None:
    async with speaking(speak) as url:
        outcome = await sent(url)
    assert isinstance(outcome, NotDelivered)
    assert outcome.reason.startswith(told)
    assert outcome.status is None


async def test_a_body_without_end_is_not_read() -> None:
    async with speaking(endless_body) as url:
        assert await sent(url) == Delivered(200)


async def test_a_redirect_is_not_followed() -> None:
    async with receiving() as elsewhere, receiving(answering(307, headers={"Location": elsewhere.url})) as receiver:
        outcome = await sent(receiver.url)
        assert elsewhere.received == []
    assert outcome == NotDelivered("it answered 307; redirects are not followed", 307)


async def test_gone_is_gone_and_a_wish_for_a_pause_is_at_most_a_day() -> None:
    for status, given, expected in (
        (410, "60", Gone()),
        (503, "60", NotDelivered("it answered 503", 503, 60.0)),
        (503, "99999999999", NotDelivered("it answered 503", 503, 86_400.0)),
        (503, "Fri, 31 Dec 9999 23:59:59 GMT", NotDelivered("it answered 503", 503, 86_400.0)),
        (503, "Thu, 01 Jan 1970 00:00:00 GMT", NotDelivered("it answered 503", 503, 0.0)),
        (503, "soon", NotDelivered("it answered 503", 503, None)),
        (503, "-5", NotDelivered("it answered 503", 503, None)),
    ):
        async with receiving(answering(status, headers={"Retry-After": given})) as receiver:
            assert await sent(receiver.url) == expected


async def test_a_private_address_gets_nothing_unless_it_is_allowed_whatever_its_name() -> None:
    async with receiving() as receiver:
        port = receiver.url.rpartition(":")[2]
        for url in (
            receiver.url,
            f"http://localhost:{port}",
            f"http://2130706433:{port}",
            f"http://[::ffff:7f00:1]:{port}",
        ):
            outcome = await sent(url, webhooks_allow_private="")
            assert isinstance(outcome, NotDelivered), url
        assert receiver.received == []


async def test_a_name_that_means_something_else_the_second_time_leads_nowhere(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever a resolver says, the address of the socket is the one that is checked."""
    async with receiving() as receiver:
        port = int(receiver.url.rpartition(":")[2].partition("/")[0])
        asked = []

        async def resolve(_: object, host: str, *_more: object, **__: object) -> list[dict[str, Any]]:
            asked.append(host)
            return [{"hostname": host, "host": "127.0.0.1", "port": port, "family": 2, "proto": 6, "flags": 0}]

        monkeypatch.setattr("aiohttp.resolver.ThreadedResolver.resolve", resolve)
        outcome = await sent(f"https://receiver.example:{port}/", webhooks_allow_private="10.0.0.0/8")
    assert asked == ["receiver.example"]
    assert isinstance(outcome, NotDelivered)
    assert outcome.reason.startswith("its address is not public")


async def test_a_certificate_that_nobody_vouches_for_is_not_accepted(tmp_path: Any) -> None:
    its = certified(b"0" * 32, "receiver", ExtendedKeyUsageOID.SERVER_AUTH)
    (tmp_path / "certificate.pem").write_text(its.certificate)
    (tmp_path / "key.pem").write_text(its.private_key)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(tmp_path / "certificate.pem", tmp_path / "key.pem")
    async with receiving(ssl_context=context) as receiver:
        outcome = await sent(receiver.url)
        assert receiver.received == []
    assert isinstance(outcome, NotDelivered)
    assert outcome.reason.startswith("its certificate is not accepted")


async def test_nobody_listens_and_no_such_name() -> None:
    async with receiving() as receiver:
        url = receiver.url
    outcome = await sent(url)
    assert isinstance(outcome, NotDelivered)
    assert outcome.reason.startswith("no connection")
    assert await sent("https://nobody.invalid/") == NotDelivered("its name cannot be resolved")
