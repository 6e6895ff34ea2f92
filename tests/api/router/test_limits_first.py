"""A key's limits are checked before the body of its request is read, and a body that is being read counts."""

import asyncio
import json
import socket
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from urllib.parse import urlsplit

from tests.api.fakes import loopback_address
from tests.api.router.scene import Scene, a_scene
from tests.api.router.test_metering import chat
from tests.api.stage import MODEL, PATIENCE_S, Stage, until

LARGE = 16_000_000
"""Bytes. More than two sockets buffer while nobody reads."""
BODY = json.dumps({"model": MODEL, "messages": []}).encode()


@asynccontextmanager
async def a_request(
    scene: Scene, key: str, *, length: int, sent: bytes = b""
) -> AsyncGenerator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    """A request of whose body at most the beginning was sent."""
    url = urlsplit(str(scene.api.client.base_url))
    reader, writer = await asyncio.open_connection(url.hostname, url.port)
    writer.write(
        b"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
        b"Authorization: Bearer %b\r\nContent-Length: %d\r\n\r\n%b" % (key.encode(), length, sent)
    )
    try:
        yield reader, writer
    finally:
        writer.close()


async def status(reader: asyncio.StreamReader) -> int:
    async with asyncio.timeout(PATIENCE_S):
        return int((await reader.readline()).split()[1])


async def test_who_has_used_up_its_requests_is_told_before_it_sends_a_body(stage: Stage) -> None:
    scene = await a_scene(stage)
    key = await scene.api.user_key(requests_per_minute=1)
    assert (await chat(scene, key)).status_code == 200
    async with a_request(scene, key, length=1_000_000) as (reader, _):
        assert await status(reader) == 429


async def test_a_body_under_way_is_one_of_the_requests_at_once(stage: Stage) -> None:
    scene = await a_scene(stage, max_requests_per_organization=2)
    await scene.api.organization("acme")
    keys = [await scene.api.user_key("acme", max_concurrent=one) for one in (1, 1, None)]

    async def answers(key: str, expected: int) -> None:
        async def answered() -> bool:
            return bool((await chat(scene, key)).status_code == expected)

        await until(answered)

    async with a_request(scene, keys[0], length=len(BODY)) as (reader, writer):
        await answers(keys[0], 429)
        await answers(keys[2], 200)
        async with a_request(scene, keys[1], length=len(BODY)):
            await answers(keys[2], 429)  # as many as its organisation may have
        await answers(keys[2], 200)
        writer.write(BODY)
        assert await status(reader) == 200
    await answers(keys[0], 200)


async def test_bodies_that_have_no_room_are_refused_and_room_is_made_by_answers(stage: Stage) -> None:
    scene = await a_scene(stage, max_inference_body_bytes=1_000, max_inference_bytes_held=1_000)
    key = await scene.api.user_key()
    padding = "x" * 600
    async with a_request(scene, key, length=1_000, sent=b" " * 700) as (reader, _):

        async def full() -> bool:
            refused = await scene.api.chat(padding=padding)
            assert refused.status_code in (200, 503)
            return refused.status_code == 503 and refused.json()["error"]["code"] == "too_many_bytes_held"

        await until(full)
        assert (await chat(scene, key, padding=padding)).status_code == 429
        assert (await chat(scene, key)).status_code == 200
        async with a_request(scene, key, length=900, sent=b" " * 900) as (refused, _):
            assert await status(refused) == 429
        assert not reader.at_eof()
    for _ in range(3):
        await until(lambda: _serves(scene, padding))


async def test_a_body_counts_until_its_worker_has_taken_it_even_if_that_answers_before(stage: Stage) -> None:
    scene = await a_scene(stage, workers=0, max_inference_body_bytes=LARGE, max_inference_bytes_held=LARGE)
    address, left = loopback_address(), asyncio.Event()

    async def answers_at_once(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\ndata: {}\n\n")
        await left.wait()
        writer.close()

    with socket.socket() as listening:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
        listening.bind((address, stage.worker_port))
        async with await asyncio.start_server(answers_at_once, sock=listening, limit=1):
            await stage.ready(address)
            await scene.eligible(1)
            key, whole = await scene.api.user_key(), BODY.ljust(LARGE)
            async with a_request(scene, key, length=LARGE, sent=whole) as (reader, _):
                assert await status(reader) == 200
                async with a_request(scene, key, length=LARGE) as (refused, _):
                    assert await status(refused) == 429
            left.set()


async def _serves(scene: Scene, padding: str) -> bool:
    return (await scene.api.chat(padding=padding)).status_code == 200
