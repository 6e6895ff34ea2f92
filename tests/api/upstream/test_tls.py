"""The client towards workers that speak TLS: to whom it speaks, and for how long it waits."""

import asyncio
import socket
import ssl
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Final
from uuid import UUID

import pytest

from services.api.upstream import Address, ConnectFailed, ConnectionLost, Silent, Upstream
from shared.secrets import Secrets
from shared.worker_tls import WorkerTls
from tests.api.upstream.asking import ask
from tests.api.upstream.raw_worker import PATIENCE_S, a_json_answer
from tests.worker_tls.workers import server_context

SECRETS: Final = Secrets("a master secret of at least thirty-two characters")
INSTANCE: Final = UUID(int=7)
OURS: Final = WorkerTls(SECRETS, INSTANCE, 2)


@asynccontextmanager
async def listening(context: ssl.SSLContext | None) -> AsyncGenerator[tuple[str, int]]:
    async def answered(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if await reader.read(65_536):
            writer.write(a_json_answer(b"ok"))
        writer.close()

    async with await asyncio.start_server(answered, "127.0.0.1", 0, ssl=context) as server:
        yield server.sockets[0].getsockname()


async def test_the_worker_of_its_attempt_is_asked(upstream: Upstream) -> None:
    async with listening(server_context(SECRETS.worker_certificates(INSTANCE, 2))) as where:
        assert (await ask(upstream, Address(*where, OURS))).body == b"ok"


@pytest.mark.parametrize(("instance_id", "attempt"), [(INSTANCE, 1), (INSTANCE, 3), (UUID(int=8), 2)])
async def test_another_worker_is_not_reached(upstream: Upstream, instance_id: UUID, attempt: int) -> None:
    async with listening(server_context(SECRETS.worker_certificates(instance_id, attempt))) as where:
        with pytest.raises(ConnectFailed, match="CERTIFICATE_VERIFY_FAILED"):
            await ask(upstream, Address(*where, OURS))
        assert upstream.in_use == 0


async def test_a_worker_without_tls_is_told_nothing(upstream: Upstream) -> None:
    async with listening(None) as where:
        with pytest.raises(ConnectFailed):
            await ask(upstream, Address(*where, OURS))


async def test_a_worker_that_speaks_tls_tells_nothing_to_plain_http(upstream: Upstream) -> None:
    async with listening(server_context(SECRETS.worker_certificates(INSTANCE, 2))) as where:
        with pytest.raises(ConnectionLost):
            await ask(upstream, Address(*where))


async def test_connections_of_one_attempt_are_not_used_for_the_next(upstream: Upstream) -> None:
    async with listening(server_context(SECRETS.worker_certificates(INSTANCE, 2))) as where:
        await ask(upstream, Address(*where, OURS))
        with pytest.raises(ConnectFailed):
            await ask(upstream, Address(*where, WorkerTls(SECRETS, INSTANCE, 3)))


async def test_a_worker_that_is_too_busy_to_begin_tls_is_waited_for_as_for_an_answer() -> None:
    upstream = Upstream(connect_s=3600.0, silence_s=0.1)
    with socket.create_server(("127.0.0.1", 0)) as busy, pytest.raises(Silent):
        await ask(upstream, Address("127.0.0.1", busy.getsockname()[1], OURS))
    await upstream.close()


async def test_a_request_that_is_cancelled_while_tls_begins_leaves_no_socket(upstream: Upstream) -> None:
    with socket.create_server(("127.0.0.1", 0)) as busy:
        busy.setblocking(False)
        loop = asyncio.get_running_loop()
        asking = asyncio.create_task(ask(upstream, Address("127.0.0.1", busy.getsockname()[1], OURS)))
        async with asyncio.timeout(PATIENCE_S):
            accepted, _ = await loop.sock_accept(busy)
            with accepted:
                assert await loop.sock_recv(accepted, 65_536)  # the ClientHello
                asking.cancel()
                await asyncio.wait([asking])
                while await loop.sock_recv(accepted, 65_536):
                    pass
    assert (upstream.in_use, upstream.idle) == (0, 0)
