"""A body is checked before it is read and has a time limit. A client sees why its body was refused before it is cut."""

import asyncio
import gc
import io
import json
import tracemalloc
import weakref

import aiohttp
import httpx
import pytest
from litestar.types import Receive, Scope, Send

from services.api.http.front.limits import ClientLimits
from tests.api.front.line import PATIENCE_S, a_line

MEGABYTE = 1_000_000
HEAD = b"POST /keys-only HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n"
BEARER = b"Authorization: Bearer valid\r\n"
CHUNKED = b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"


@pytest.mark.parametrize(
    ("path", "most"), [(b"/", 1_000_000), (b"/v1/chat/completions", 32_000_000), (b"/sign-in", 16_384)]
)
async def test_a_body_that_says_that_it_is_too_large_is_refused_before_it_comes(path: bytes, most: int) -> None:
    async with a_line() as line:
        told = await line.told(b"POST %b HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % (path, most + 1))
    assert told.startswith(b"HTTP/1.1 413 ")
    assert not line.app.asked


async def test_a_body_that_turns_out_too_large_is_refused_and_the_application_told_that_it_is_over() -> None:
    async with a_line(ClientLimits(body_bytes=10)) as line:
        told = await line.told(CHUNKED + b"6\r\n123456\r\n6\r\n123456\r\n")
        assert told.startswith(b"HTTP/1.1 413 ")
        assert json.loads(told.partition(b"\r\n\r\n")[2])["code"] == "body_too_large"
        async with asyncio.timeout(PATIENCE_S):
            await line.app.left.wait()
    assert not line.app.bodies


async def test_a_body_that_does_not_come_ends_by_its_time() -> None:
    async with a_line() as line:
        client = await line.client(HEAD % 5 + BEARER + b"\r\nh")
        while not line.app.asked:  # noqa: ASYNC110  the server tells nobody
            await asyncio.sleep(0)
        line.later(59)
        await client.say(b"e")
        line.later(2)
        assert (await client.rest()).startswith(b"HTTP/1.1 408 ")
        async with asyncio.timeout(PATIENCE_S):
            await line.app.left.wait()


async def test_a_body_without_a_key_is_kept_nowhere_and_its_sender_sees_the_refusal() -> None:
    async with a_line() as line:
        tracemalloc.start()
        try:
            client = await line.client(CHUNKED.replace(b"/", b"/keys-only", 1))
            for _ in range(20):
                await client.say(b"f4240\r\n" + b"a" * MEGABYTE + b"\r\n")
            told = await client.answer()
            _, most = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
        assert told.startswith(b"HTTP/1.1 401 ")
        assert b"connection: close\r\n" in told
        assert most < 8 * MEGABYTE, "of 20"
        client.writer.close()


async def test_a_body_that_nobody_read_is_not_kept_behind_its_answer() -> None:
    size = 200_000
    async with a_line() as line:
        clients = [await line.client() for _ in range(10)]
        tracemalloc.start()
        try:
            for client in clients:
                await client.say(HEAD % size + b"\r\n" + b"a" * size)
                assert (await client.answer()).startswith(b"HTTP/1.1 401 ")
            held, _ = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
        assert held < 2 * size, "of ten"
        for client in clients:
            client.writer.close()


async def test_nothing_of_a_client_that_has_left_waits_for_the_garbage_collector() -> None:
    gc.collect()
    gc.disable()
    try:
        async with a_line() as line:
            client = await line.client(HEAD % 5 + BEARER + b"\r\nh")
            while not line.app.asked:  # noqa: ASYNC110
                await asyncio.sleep(0)
            connection = weakref.ref(next(iter(line.front.state.connections)))
            client.writer.close()
            async with asyncio.timeout(PATIENCE_S):
                await line.app.left.wait()
                line.app.asked.clear()
                while connection() is not None:  # noqa: ASYNC110
                    await asyncio.sleep(0)
    finally:
        gc.enable()


async def test_the_rest_of_a_refused_upload_is_read_for_a_moment_only() -> None:
    async with a_line() as line:
        client = await line.client(HEAD % 1_000_000 + b"\r\n")
        assert (await client.answer()).startswith(b"HTTP/1.1 401 ")
        await client.say(b"a" * 1_000)
        assert len(line.front.state.connections) == 1
        line.later(11)
        while line.front.state.connections:  # noqa: ASYNC110
            await asyncio.sleep(0)
        client.writer.close()


async def test_httpx_and_aiohttp_see_why_their_upload_was_refused() -> None:
    body = b"a" * 5 * MEGABYTE
    async with a_line() as line:
        url = f"http://127.0.0.1:{line.port}"
        async with httpx.AsyncClient(timeout=PATIENCE_S) as client:
            assert (await client.post(f"{url}/", content=body)).json()["code"] == "body_too_large"
            assert (await client.post(f"{url}/v1/files", content=body * 7)).status_code == 413
        async with (
            aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(PATIENCE_S)) as session,
            session.post(f"{url}/", data=io.BytesIO(body)) as answer,
        ):
            assert answer.status == 413


async def test_a_body_that_nobody_reads_waits_outside() -> None:
    asked, done = asyncio.Event(), asyncio.Event()

    async def waits(_: Scope, __: Receive, send: Send) -> None:
        asked.set()
        await done.wait()
        await send({"type": "http.response.start", "status": 204, "headers": []})
        await send({"type": "http.response.body", "body": b"", "more_body": False})

    async with a_line(ClientLimits(body_bytes=64 * MEGABYTE), waits) as line:
        client = await line.client(HEAD % (60 * MEGABYTE) + b"\r\n")
        tracemalloc.start()
        try:
            sending = asyncio.create_task(client.say(b"a" * 60 * MEGABYTE))
            await asked.wait()
            (connection,) = line.front.state.connections
            while connection._reading:  # type: ignore[union-attr]  # noqa: ASYNC110
                await asyncio.sleep(0)
            done.set()
            assert (await client.rest()).startswith(b"HTTP/1.1 204 ")
            await asyncio.gather(sending, return_exceptions=True)
        finally:
            tracemalloc.stop()
