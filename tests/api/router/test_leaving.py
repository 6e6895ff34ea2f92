"""When a client leaves, its upstream request ends, too, and no counter still counts it."""

import asyncio
import json
from statistics import median
from time import monotonic as clock
from urllib.parse import urlsplit

import pytest
from aiohttp import web

from tests.api.fakes import FakeWorker
from tests.api.router.scene import WORDS, Scene, a_scene, hangs, streaming
from tests.api.stage import ADMIN_KEY, MODEL, PATIENCE_S, Stage, until

AT_ONCE = 50
TRIES = 9  # of which the median counts: what else runs on the machine is not what is looked at
AS_LONG = 30  # as the request took to come, at most: a busy machine slows down both
FOR_EVER_S = 10 * PATIENCE_S


def request_bytes(key: str = ADMIN_KEY, **fields: object) -> bytes:
    body = json.dumps({"model": MODEL, "messages": [], **fields}).encode()
    return b"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n" + (
        b"Authorization: Bearer %s\r\nContent-Length: %d\r\n\r\n%s" % (key.encode(), len(body), body)
    )


async def asked(scene: Scene, key: str = ADMIN_KEY, **fields: object) -> asyncio.StreamWriter:
    """A request whose client can disconnect at any time."""
    target = urlsplit(scene.api.url)
    _, writer = await asyncio.open_connection(target.hostname, target.port)
    writer.write(request_bytes(key, **fields))
    return writer


async def seen(worker: FakeWorker, count: int) -> None:
    async def has() -> bool:
        return len(worker.seen) >= count

    await until(has)


async def seconds_until_the_worker_knows(worker: FakeWorker, writer: asyncio.StreamWriter) -> float:
    worker.left.clear()
    left_at = clock()
    writer.transport.abort()
    async with asyncio.timeout(PATIENCE_S):
        await worker.left.wait()
    return clock() - left_at


@pytest.mark.parametrize("stream", [False, True])
async def test_a_worker_that_has_not_begun_is_told_at_once(stage: Stage, stream: bool) -> None:
    scene = await a_scene(stage, worker_silence_seconds=FOR_EVER_S)
    scene.all_answer(hangs)
    came, left = [], []
    for count in range(1, TRIES + 1):
        began = clock()
        writer = await asked(scene, stream=stream)
        await seen(scene.workers[0], count)
        came.append(clock() - began)
        left.append(await seconds_until_the_worker_knows(scene.workers[0], writer))
    assert median(left) < AS_LONG * median(came)


async def test_a_worker_in_the_middle_of_a_stream_is_told_at_once(stage: Stage) -> None:
    scene = await a_scene(stage, worker_silence_seconds=FOR_EVER_S)
    scene.all_answer(streaming(*WORDS, gate=asyncio.Event()))
    target = urlsplit(scene.api.url)
    came, left = [], []
    for _ in range(TRIES):
        began = clock()
        reader, writer = await asyncio.open_connection(target.hostname, target.port)
        writer.write(request_bytes(stream=True))
        await reader.readuntil(WORDS[0])
        came.append(clock() - began)
        left.append(await seconds_until_the_worker_knows(scene.workers[0], writer))
    assert median(left) < AS_LONG * median(came)


async def test_a_thousand_aborted_requests_leave_nothing_in_flight(stage: Stage) -> None:
    scene = await a_scene(stage, worker_silence_seconds=FOR_EVER_S)
    worker = scene.workers[0]
    began = streaming(*WORDS, gate=asyncio.Event())

    async def in_turn(request: web.Request) -> web.StreamResponse:
        return await (hangs if len(worker.seen) % 2 else began)(request)

    async def nothing() -> bool:
        metrics = (await scene.api.client.get("/metrics")).text
        return await scene.in_flight() == 0 and "coldstart_router_requests_in_flight 0.0" in metrics

    scene.all_answer(in_turn)
    key = await scene.api.user_key(max_concurrent=AT_ONCE)
    for batch in range(1, 21):
        writers = [await asked(scene, key, stream=bool(number % 3)) for number in range(AT_ONCE)]
        await seen(worker, AT_ONCE * batch - 10)  # some leave before they were passed on
        for writer in writers:
            writer.transport.abort()
        await until(nothing)

    scene.all_answer(streaming(*WORDS, gate=(go_on := asyncio.Event())))
    async with scene.api.as_(key) as user, asyncio.TaskGroup() as group:
        body = {"model": MODEL, "messages": []}
        answers = [group.create_task(user.post("/v1/chat/completions", json=body)) for _ in range(AT_ONCE)]
        await seen(worker, AT_ONCE)
        assert (await user.post("/v1/chat/completions", json=body)).status_code == 429, "and not one more"
        go_on.set()
    assert {answer.result().status_code for answer in answers} == {200}, "as many at once as the key may have"
