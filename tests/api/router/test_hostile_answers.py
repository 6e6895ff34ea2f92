"""A worker's invalid answer ends that request as the contract says, and nothing else."""

import json

import pytest
from aiohttp import web

from services.api.router import tally
from tests.api.router.scene import DONE, WORDS, Answer, Scene, a_scene, answering, drops, event, streaming
from tests.api.router.test_metering import FAST, a_key, chat, summed
from tests.api.stage import Stage


def saying(raw: bytes) -> Answer:
    """Sends these bytes and nothing else, whether they are HTTP or not."""

    async def answer(request: web.Request) -> web.Response:
        assert request.transport is not None
        request.transport.write(raw)
        return await drops(request) if raw.endswith(b"}") else web.Response()

    return answer


async def coded(_: web.Request) -> web.Response:
    return web.Response(body=b"\x1f\x8b", headers={"Content-Type": "application/json", "Content-Encoding": "gzip"})


async def test_another_worker_is_asked_where_one_does_not_answer_in_http(stage: Stage) -> None:
    scene = await a_scene(stage, workers=2, breaker_failures=1_000)
    for odd in (
        b"HTTP/1.1 000 No\r\n\r\n{}",
        b"HTTP/1.1 099 No\r\n\r\n{}",
        b"HTTP/1.1 999 No\r\n\r\n{}",
        b"HTTP/1.1 204 No\r\nContent-Length: 2\r\n\r\n{}",
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}",
    ):
        scene.all_answer(answering(200))
        scene.workers[0].answer = saying(odd)
        assert [(await scene.api.chat()).status_code for _ in range(2)] == [200, 200]
        assert scene.asked[1] == 2
    scene.all_answer(coded)
    refused = await scene.api.chat()
    assert (refused.status_code, refused.json()["error"]["code"]) == (502, "worker_failed")


async def test_an_answer_without_content_is_one(stage: Stage) -> None:
    scene = await a_scene(stage)

    async def nothing(_: web.Request) -> web.Response:
        return web.Response(status=204)

    scene.all_answer(nothing)
    for _ in range(2):
        answer = await scene.api.chat()
        assert (answer.status_code, answer.content, answer.headers.get("content-length")) == (204, b"", None)


async def test_a_length_with_thousands_of_zeros_is_one_of_two_digits(stage: Stage) -> None:
    scene = await a_scene(stage)
    scene.all_answer(saying(b"HTTP/1.1 200 OK\r\nContent-Length: %b\r\n\r\n{}" % b"2".zfill(5_000)))
    answer = await scene.api.chat()
    assert (answer.status_code, answer.headers["content-length"], answer.text) == (200, "2", "{}")


async def test_an_event_without_an_end_breaks_the_stream_off(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tally, "_LONGEST_EVENT", 10_000)
    monkeypatch.setattr(tally, "_LONGEST_HELD", 1_000)
    scene = await a_scene(stage, breaker_failures=1_000)
    scene.all_answer(streaming(WORDS[0], b"data: {" + b"x" * 5_000, *[b"x" * 100_000] * 20, DONE))
    broken = await scene.api.chat(stream=True)
    assert broken.status_code == 200
    *_, last = broken.text.strip().split("\n\n")
    assert json.loads(last.removeprefix("data: "))["error"]["code"] == "worker_failed"
    assert "[DONE]" not in broken.text
    assert len(broken.content) < 2_000_000


async def test_counts_that_make_no_sense_are_not_counted(stage: Stage) -> None:
    scene = await a_scene(stage, **FAST)
    key = (await a_key(scene.api, tokens_per_minute=1_000))["key"]
    for count in ("NaN", "Infinity", "1e400", "-5", "1.5", "true", '"7"', "9" * 5_000):
        await answered_and_not_counted(scene, key, count)
    (told,) = await summed(scene.api, 16, "key")
    assert (told["prompt_tokens"], told["requests_untold"]) == (0, 16)


async def answered_and_not_counted(scene: Scene, key: str, count: str) -> None:
    usage = f'{{"choices":[{{}}],"usage":{{"prompt_tokens":{count},"completion_tokens":{count}}}}}'

    async def whole(_: web.Request) -> web.Response:
        return web.Response(text=usage, content_type="application/json")

    scene.all_answer(whole)
    assert (await chat(scene, key)).text == usage
    scene.all_answer(streaming(*WORDS, b"data: " + usage.encode() + b"\n\n", event(choices=[]), DONE))
    assert (await chat(scene, key, stream=True)).status_code == 200
