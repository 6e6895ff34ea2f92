"""The server ends orderly however its block ends."""

import asyncio
import socket
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest
from litestar.types import Receive, Scope, Send

from services.api.http.front.connection import ClientConnection
from services.api.http.front.limits import ClientLimits
from services.api.http.server import serving
from services.api.settings import ApiSettings
from tests.api.stage import PATIENCE_S

_CROWD = 300


async def test_what_is_being_answered_when_the_block_fails_is_answered_and_nothing_listens_any_more() -> None:
    asked, stopping = asyncio.Event(), asyncio.Event()

    async def answer(_: Scope, __: Receive, send: Send) -> None:
        asked.set()
        await stopping.wait()
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
        await send({"type": "http.response.body", "body": b"ok", "more_body": False})

    async with httpx.AsyncClient(timeout=PATIENCE_S) as client:
        with pytest.RaisesGroup(ZeroDivisionError):
            async with serving(
                answer, "127.0.0.1", 0, limits=ClientLimits(), grace_s=PATIENCE_S, on_leaving=stopping.set
            ) as url:
                asking = asyncio.create_task(client.get(url))
                await asked.wait()
                raise ZeroDivisionError
        assert (await asking).text == "ok"
    with pytest.raises(ConnectionRefusedError):
        await asyncio.open_connection("127.0.0.1", urlsplit(url).port)


async def answers_ok(_: Scope, __: Receive, send: Send) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
    await send({"type": "http.response.body", "body": b"ok", "more_body": False})


async def asked(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bytes:
    writer.write(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
    return await reader.readuntil(b"ok")


async def test_a_client_s_connection_is_kept_for_as_long_as_was_asked() -> None:
    async with (
        asyncio.timeout(PATIENCE_S),
        serving(
            answers_ok, "127.0.0.1", 0, limits=ClientLimits(kept_alive_s=1), grace_s=1, on_leaving=nothing
        ) as brief,
        serving(answers_ok, "127.0.0.1", 0, limits=ClientLimits(), grace_s=1, on_leaving=nothing) as patient,
    ):
        parted = await asyncio.open_connection("127.0.0.1", urlsplit(brief).port)
        kept = await asyncio.open_connection("127.0.0.1", urlsplit(patient).port)
        assert await asked(*kept)
        assert await asked(*parted)
        assert await parted[0].read() == b"", "closed by the server, after its time"
        assert await asked(*kept)
        for _, writer in (parted, kept):
            writer.close()


async def test_a_body_is_sent_behind_its_head_at_once_whatever_the_event_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[asyncio.BaseTransport] = []
    connection_made = ClientConnection.connection_made

    def seen(connection: ClientConnection, transport: asyncio.BaseTransport) -> None:
        made.append(transport)
        connection_made(connection, transport)

    monkeypatch.setattr(ClientConnection, "connection_made", seen)
    async with serving(answers_ok, "127.0.0.1", 0, limits=ClientLimits(), grace_s=1, on_leaving=nothing) as url:
        reader, writer = await asyncio.open_connection("127.0.0.1", urlsplit(url).port)
        await asked(reader, writer)
        (transport,) = made
        assert transport.get_extra_info("socket").getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
        writer.close()


async def test_a_crowd_that_comes_at_once_has_few_descriptors_at_once() -> None:
    limits = ClientLimits(connections=4)
    async with serving(answers_ok, "127.0.0.1", 0, limits=limits, grace_s=1, on_leaving=nothing) as url:
        port = urlsplit(url).port
        crowd = [socket.create_connection(("127.0.0.1", port), timeout=PATIENCE_S) for _ in range(_CROWD)]
        before = most = _open_files()
        asking = asyncio.create_task(_one_more(port))
        async with asyncio.timeout(PATIENCE_S):
            while not asking.done():
                await asyncio.sleep(0)
                most = max(most, _open_files())
        assert await asking, "all before it have been accepted"
    assert most - before < _CROWD / 2
    for client in crowd:
        client.close()


async def _one_more(port: int | None) -> bytes:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        return await asked(reader, writer)
    finally:
        writer.close()


def _open_files() -> int:
    return len(list(Path("/dev/fd").iterdir()))


def nothing() -> None: ...


def test_clients_part_first_by_default() -> None:
    keeps_s = ApiSettings.model_fields["client_kept_alive_seconds"].default
    assert keeps_s > 60, "as long as load balancers mostly keep theirs; OpenAI's clients keep them for five"
