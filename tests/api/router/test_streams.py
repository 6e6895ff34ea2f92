"""The router passes streams on at once and unchanged, without the usage chunk that the client did not ask for."""

import asyncio
import json

import pytest
from aiohttp import web

from tests.api.router.scene import DONE, USAGE, WORDS, a_scene, event, streaming
from tests.api.stage import MODEL, PATIENCE_S, RunningApi, Stage

BODY = {"model": MODEL, "messages": [], "stream": True}
ODD = b'data: {"choices":[{"delta":{"content":"\xc3\xa9\xf0\x9f\x99\x82 \\"usage\\": {"}}]}\n\n'


async def received(api: RunningApi, **more: object) -> bytes:
    async with api.client.stream("POST", "/v1/chat/completions", json={**BODY, **more}) as stream:
        return b"".join([chunk async for chunk in stream.aiter_raw()])


async def test_the_worker_is_asked_for_usage_and_its_chunk_is_kept_from_a_client_who_did_not_ask(stage: Stage) -> None:
    scene = await a_scene(stage)
    scene.all_answer(streaming(*WORDS, USAGE, DONE))
    assert await received(scene.api) == b"".join((*WORDS, DONE))
    assert json.loads(scene.workers[0].seen[-1].body) == {**BODY, "stream_options": {"include_usage": True}}


async def test_a_client_who_asked_gets_it(stage: Stage) -> None:
    scene = await a_scene(stage)
    scene.all_answer(streaming(*WORDS, USAGE, DONE))
    asking = {"stream_options": {"include_usage": True}}
    assert await received(scene.api, **asking) == b"".join((*WORDS, USAGE, DONE))


@pytest.mark.parametrize("size", [1, 2, 3, 7, 50])
async def test_it_is_exact_however_it_is_cut(stage: Stage, size: int) -> None:
    """Cuts inside characters, names, the ends of events, and the chunk that is left out."""
    scene = await a_scene(stage)
    whole = b"".join((WORDS[0], ODD, b": a comment\r\n\r\n", USAGE, DONE))
    scene.all_answer(streaming(*(whole[at : at + size] for at in range(0, len(whole), size))))
    assert await received(scene.api) == whole.replace(USAGE, b"")


async def test_the_worker_sends_the_next_event_only_when_the_client_has_the_last(stage: Stage) -> None:
    """The worker sends an event only after the client got the last one, so a delayed event would never arrive."""
    scene = await a_scene(stage)
    arrived = [asyncio.Event() for _ in range(20)]

    async def answer(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        for number, seen in enumerate(arrived):
            await response.write(event(id="x", number=number, choices=[{}]))
            async with asyncio.timeout(PATIENCE_S):
                await seen.wait()
        return response

    scene.all_answer(answer)
    numbers: list[int] = []
    async with scene.api.client.stream("POST", "/v1/chat/completions", json=BODY) as stream:
        async for chunk in stream.aiter_raw():
            numbers.append(json.loads(chunk.removeprefix(b"data: "))["number"])
            arrived[len(numbers) - 1].set()
    assert numbers == list(range(20))


async def test_a_client_that_does_not_read_stops_its_worker_and_misses_nothing(stage: Stage) -> None:
    scene = await a_scene(stage, worker_silence_seconds=PATIENCE_S)
    part, parts, poured = event(text="a" * 60_000), 1_000, 0

    async def answer(request: web.Request) -> web.StreamResponse:
        nonlocal poured
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        for _ in range(parts):
            await response.write(part)
            poured += 1
        return response

    scene.all_answer(answer)
    async with scene.api.client.stream("POST", "/v1/chat/completions", json=BODY) as stream:
        pieces = stream.aiter_raw()
        received = len(await anext(pieces))
        before = 0
        while poured > before:
            before = poured
            for _ in range(1_000):  # of the loop that the router and the worker share
                await asyncio.sleep(0)
        assert poured < parts / 2
        async for piece in pieces:
            received += len(piece)
    assert received == len(part) * parts


async def test_a_whole_answer_is_not_kept_until_it_is_complete(stage: Stage) -> None:
    scene = await a_scene(stage, worker_silence_seconds=PATIENCE_S)
    gate = asyncio.Event()

    async def answer(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "application/json", "Content-Length": "4"})
        await response.prepare(request)
        await response.write(b"{ ")
        await gate.wait()
        await response.write(b" }")
        return response

    scene.all_answer(answer)
    async with scene.api.client.stream("POST", "/v1/completions", json={**BODY, "stream": False}) as answered:
        chunks = answered.aiter_raw()
        assert await anext(chunks) == b"{ "
        gate.set()
        assert [chunk async for chunk in chunks] == [b" }"]
