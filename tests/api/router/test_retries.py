"""The retry contract: what goes to another worker, what does not, and what the client is told (docs/routing.md)."""

import asyncio
import sys
from asyncio.subprocess import Process
from collections.abc import AsyncGenerator, Callable, Sized
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from typing import Any

import asyncpg
import httpx
import psutil
import pytest
from aiohttp import web
from structlog.testing import capture_logs

from tests.api.fakes import loopback_address
from tests.api.router.scene import DONE, WORDS, Answer, Scene, a_scene, answering, drops, event, hangs, streaming
from tests.api.router.test_inference import catalogued
from tests.api.stage import MODEL, PATIENCE_S, RunningApi, Stage, until
from tests.api.test_outages import database_away
from tests.lifecycle import facts

Gone = Callable[[Stage], AbstractAsyncContextManager[None]]
CALM: dict[str, Any] = {"breaker_failures": 1_000}


def first_asked(scene: Scene) -> int:
    return scene.asked.index(1)


def once_then_well(scene: Scene, trouble: Answer) -> None:
    """The worker that is asked first behaves so; all others answer correctly."""
    well = scene.workers[0].answer
    asked = 0

    async def answer(request: web.Request) -> web.StreamResponse:
        nonlocal asked
        asked += 1
        return await (trouble if asked == 1 else well)(request)

    scene.all_answer(answer)


@pytest.mark.parametrize(
    "trouble",
    [answering(502), answering(503), drops, answering(401), answering(403), answering(307)],
    ids=["502", "503", "dropped", "our key refused", "our key forbidden", "pointing elsewhere"],
)
async def test_a_worker_that_has_not_answered_is_replaced_by_another(stage: Stage, trouble: Answer) -> None:
    scene = await a_scene(stage, 3, **CALM)
    once_then_well(scene, trouble)
    answer = await scene.api.chat()
    assert answer.status_code == 200
    assert sorted(scene.asked) == [0, 1, 1], "another one, and only one more"
    served = answer.headers["x-coldstart-instance"]
    assert served in {str(instance.id) for instance in scene.instances}


async def test_two_more_are_asked_at_most_and_none_of_them_twice(stage: Stage) -> None:
    scene = await a_scene(stage, 5, **CALM)
    scene.all_answer(drops)
    failed = await scene.api.chat()
    assert (failed.status_code, failed.json()["error"]["code"]) == (502, "worker_failed")
    assert sorted(scene.asked) == [0, 0, 1, 1, 1]


async def test_a_connection_that_was_kept_makes_no_difference_nobody_is_asked_twice(stage: Stage) -> None:
    scene = await a_scene(stage, 4, **CALM)

    async def each_has_one() -> bool:
        assert (await scene.api.chat()).status_code == 200
        return all(scene.asked)

    await until(each_has_one)
    scene.all_answer(drops)
    failed = await scene.api.chat()
    assert (failed.status_code, failed.json()["error"]["code"]) == (502, "worker_failed")
    assert sorted(scene.asked) == [0, 1, 1, 1]


async def test_a_connection_that_its_worker_closed_while_idle_fails_no_request(stage: Stage) -> None:
    scene = await a_scene(stage, 1, **CALM)
    assert (await scene.api.chat()).status_code == 200
    scene.workers[0].hang_up()
    assert (await scene.api.chat()).status_code == 200
    assert scene.asked == [2]


async def test_the_last_one_s_own_words_are_passed_on(stage: Stage) -> None:
    scene = await a_scene(stage, 2, **CALM)
    scene.all_answer(answering(503, {"error": {"message": "overloaded"}}))
    failed = await scene.api.chat()
    assert (failed.status_code, failed.json()) == (503, {"error": {"message": "overloaded"}})
    assert scene.asked == [1, 1]


OVERLOADED: dict[str, Any] = {"error": {"message": "overloaded"}}


async def overloaded(_: web.Request) -> web.Response:
    return web.json_response(OVERLOADED, status=503, headers={"Retry-After": "7"})


def passed_on(failed: httpx.Response) -> bool:
    return (failed.status_code, failed.json(), failed.headers["retry-after"]) == (503, OVERLOADED, "7")


async def test_its_own_words_are_passed_on_too_when_the_other_has_stopped_being_ready_meanwhile(stage: Stage) -> None:
    scene = await a_scene(stage, 2, **CALM)

    async def answer(request: web.Request) -> web.StreamResponse:
        other = scene.instances[1 - first_asked(scene)]
        await stage.happened(facts.health_lost(), instance_id=other.id)
        await scene.eligible(1)
        return await overloaded(request)

    scene.all_answer(answer)
    assert passed_on(await scene.api.chat())
    assert sum(scene.asked) == 1


async def test_its_own_words_are_passed_on_too_when_the_client_s_deadline_has_passed(stage: Stage) -> None:
    scene = await a_scene(stage, 2, **CALM)

    async def late(request: web.Request) -> web.StreamResponse:
        await asyncio.sleep(0.05)
        return await overloaded(request)

    scene.all_answer(late)
    scene.api.client.headers["x-stainless-read-timeout"] = "0.01"
    assert passed_on(await scene.api.chat())
    assert sum(scene.asked) == 1


@pytest.mark.parametrize("status", [400, 404, 409, 422, 429, 500])
async def test_an_answer_is_an_answer(stage: Stage, status: int) -> None:
    scene = await a_scene(stage, 2, **CALM)
    scene.all_answer(answering(status, {"error": {"message": "as the worker says"}}))
    answer = await scene.api.chat()
    assert (answer.status_code, answer.json()) == (status, {"error": {"message": "as the worker says"}})
    assert sum(scene.asked) == 1


async def dead_engine(request: web.Request) -> web.Response:
    return web.Response(status=503) if request.path == "/health" else web.json_response({"error": {}}, status=500)


async def test_a_worker_whose_engine_is_dead_is_set_aside_after_one_500_which_is_its_answer(stage: Stage) -> None:
    scene = await a_scene(stage, 2, breaker_pause_seconds=PATIENCE_S)
    scene.workers[0].answer = dead_engine
    statuses = [(await scene.api.chat()).status_code for _ in scene.workers]
    assert sorted(statuses) == [200, 500]
    assert scene.asked == [1, 1], "it is not sent again"
    await scene.eligible(1)
    for _ in range(3):
        assert (await scene.api.chat()).status_code == 200
    assert scene.asked == [1, 4]


async def test_the_only_worker_gets_nothing_while_its_engine_is_dead(stage: Stage) -> None:
    """Its requests are told when to come again, and those that wait get its answer once its health is well."""
    scene = await a_scene(stage, breaker_pause_seconds=0.05, breaker_longest_pause_seconds=0.1)
    (worker,), well = scene.workers, scene.workers[0].answer
    worker.answer = dead_engine
    assert (await scene.api.chat()).status_code == 500
    await scene.eligible(0)
    refused = await scene.api.chat()
    assert (refused.status_code, refused.headers["retry-after"]) == (503, "30")
    assert refused.json()["error"]["code"] == "model_not_ready"
    assert "the engine of its worker is dead" in refused.json()["error"]["message"]
    assert scene.asked == [1]
    scene.api.client.headers["x-wait-for-ready"] = str(PATIENCE_S)
    waiting = asyncio.create_task(scene.api.chat())
    await until(lambda: is_held(scene))
    assert scene.asked == [1]
    worker.answer = well
    assert (await waiting).status_code == 200


async def is_held(scene: Scene) -> bool:
    return "coldstart_router_requests_waiting 1.0" in (await scene.api.client.get("/metrics")).text


async def test_a_dead_engine_is_forgotten_once_health_has_seen_the_worker_answer_again(stage: Stage) -> None:
    scene = await a_scene(stage, breaker_pause_seconds=PATIENCE_S)
    well = scene.workers[0].answer
    scene.all_answer(dead_engine)
    assert (await scene.api.chat()).status_code == 500
    await scene.eligible(0)
    scene.all_answer(well)
    (instance,) = scene.instances
    await stage.happened(facts.health_lost(), facts.health_restored(), instance_id=instance.id)
    await scene.eligible(1)
    assert (await scene.api.chat()).status_code == 200


async def test_a_request_that_could_not_be_sent_is_told_when_to_come_again(stage: Stage) -> None:
    scene = await a_scene(stage, 0, **CALM)
    await stage.ready(loopback_address())
    await scene.eligible(1)
    refused = await scene.api.chat()
    assert (refused.status_code, refused.headers["retry-after"]) == (503, "5")
    assert refused.json()["error"]["code"] == "worker_unreachable"


ENDED = b'data: {"error": {"message": "EngineCore encountered an issue.", "code": 500}}\n\n'


@pytest.mark.parametrize("chunks", [(WORDS[0] + ENDED + DONE,), (WORDS[0], ENDED, DONE)], ids=["at once", "in parts"])
async def test_a_worker_whose_engine_died_during_a_stream_gets_no_further_request(
    stage: Stage, chunks: tuple[bytes, ...]
) -> None:
    scene = await a_scene(stage, 2, breaker_pause_seconds=PATIENCE_S)
    ending = streaming(*chunks)

    async def dying(request: web.Request) -> web.StreamResponse:
        return web.Response(status=503) if request.path == "/health" else await ending(request)

    scene.workers[0].answer = dying
    answers = [await scene.api.chat(stream=True) for _ in scene.workers]
    assert [answer.status_code for answer in answers] == [200, 200]
    assert b"".join(chunks) in [answer.content for answer in answers], "it is passed on as it is"
    await scene.eligible(1)
    for _ in range(3):
        assert (await scene.api.chat()).status_code == 200
    assert scene.asked == [1, 4]


@pytest.mark.parametrize(
    ("ending", "breaker"),
    [
        (event(choices=[{"delta": {"content": '{"error": {"code": 500}}'}}], error=None), "closed"),
        (ENDED, "open"),
    ],
    ids=["text about errors", "an error"],
)
async def test_only_a_stream_without_an_error_ends_a_row_of_failures(stage: Stage, ending: bytes, breaker: str) -> None:
    scene = await a_scene(stage, breaker_failures=2, breaker_pause_seconds=PATIENCE_S)
    for answer in (answering(502), streaming(ending, DONE), answering(502)):
        scene.all_answer(answer)
        await scene.api.chat(stream=True)
    assert [one["breaker"] for one in (await scene.explained())["instances"]] == [breaker]


async def test_a_worker_that_says_nothing_hangs_nobody_and_is_not_asked_twice_over(stage: Stage) -> None:
    scene = await a_scene(stage, 2, worker_silence_seconds=0.2, **CALM)
    scene.all_answer(hangs)
    answer = await scene.api.chat()
    assert (answer.status_code, answer.json()["error"]["code"]) == (504, "worker_timeout")
    assert sum(scene.asked) == 1, "what it may have been working on is not begun a second time"


@pytest.mark.parametrize("header", ["x-stainless-read-timeout", "x-stainless-timeout"])
async def test_past_the_client_s_own_deadline_nobody_else_is_asked(stage: Stage, header: str) -> None:
    scene = await a_scene(stage, 2, **CALM)

    async def late(request: web.Request) -> web.StreamResponse:
        await asyncio.sleep(0.02)
        return await drops(request)

    scene.all_answer(late)
    scene.api.client.headers[header] = "0.01"
    assert (await scene.api.chat()).status_code == 502
    assert sum(scene.asked) == 1


async def test_a_stream_that_breaks_ends_with_an_error_and_without_done_and_is_not_begun_again(stage: Stage) -> None:
    scene = await a_scene(stage, 2, **CALM)
    scene.all_answer(streaming(*WORDS, breaks=True))
    answer = await scene.api.chat(stream=True)
    events = answer.text.encode().split(b"\n\n")
    assert events[:3] == [word.strip() for word in WORDS]
    assert b'"worker_failed"' in events[3]
    assert events[4:] == [b""]
    assert DONE.strip() not in events
    assert sum(scene.asked) == 1


async def test_a_stream_that_falls_silent_ends_with_an_error_and_nobody_is_set_aside(stage: Stage) -> None:
    scene = await a_scene(stage, 1, worker_silence_seconds=1.0, breaker_failures=1, breaker_pause_seconds=60.0)
    scene.all_answer(streaming(*WORDS, gate=asyncio.Event()))
    events = (await scene.api.chat(stream=True)).text.split("\n\n")
    assert '"worker_timeout"' in events[1]
    assert await breaker_of(scene, 0) == "closed"
    scene.all_answer(streaming(*WORDS, breaks=True))
    await scene.api.chat(stream=True)
    assert await breaker_of(scene, 0) == "open"


async def test_a_stream_that_breaks_within_an_event_still_has_a_readable_error(stage: Stage) -> None:
    scene = await a_scene(stage, 1, **CALM)
    scene.all_answer(streaming(WORDS[0], b": half a comm", breaks=True))
    events = (await scene.api.chat(stream=True)).text.split("\n\n")
    assert events[1] == ": half a comm"
    assert events[2].startswith('data: {"error"')


async def test_a_stream_that_breaks_before_its_first_event_goes_to_another(stage: Stage) -> None:
    scene = await a_scene(stage, 2, **CALM)
    once_then_well(scene, streaming(breaks=True))
    answer = await scene.api.chat(stream=True)
    assert answer.text.endswith("data: [DONE]\n\n")
    assert scene.asked == [1, 1]


async def test_a_whole_answer_that_breaks_off_is_never_taken_for_a_whole_one(stage: Stage) -> None:
    scene = await a_scene(stage, 2, **CALM)

    async def half(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "application/json", "Content-Length": "100"})
        await response.prepare(request)
        await response.write(b'{"choices": [')
        assert request.transport is not None
        request.transport.abort()
        return response

    scene.all_answer(half)
    with pytest.raises(httpx.RemoteProtocolError):
        await scene.api.chat()
    assert sum(scene.asked) == 1


async def test_a_worker_that_keeps_failing_is_set_aside_seen_to_be_and_let_in_again_once_it_is_well(
    stage: Stage,
) -> None:
    scene = await a_scene(stage, 2, breaker_failures=2, breaker_pause_seconds=0.05)
    bad, good = scene.workers
    well = bad.answer
    bad.answer = answering(503)

    async def set_aside() -> bool:
        assert (await scene.api.chat()).status_code == 200
        return await breaker_of(scene, 0) == "open"

    await until(set_aside)
    bad.seen.clear()
    for _ in range(6):
        assert (await scene.api.chat()).status_code == 200
    assert {seen.path for seen in bad.seen} <= {"/health"}, "probes alone"
    (told,) = (one for one in (await scene.explained())["instances"] if not one["eligible"])
    assert told["id"] == str(scene.instances[0].id)
    assert "failed" in told["reason"]
    assert "coldstart_router_workers_set_aside 1.0" in (await scene.api.client.get("/metrics")).text

    bad.answer = well

    async def let_in() -> bool:
        await scene.api.chat()
        return await breaker_of(scene, 0) == "closed"

    await until(let_in)
    assert len(good.seen) > 6


async def breaker_of(scene: Scene, number: int) -> str:
    instances = (await scene.explained())["instances"]
    return str(next(one["breaker"] for one in instances if one["id"] == str(scene.instances[number].id)))


@asynccontextmanager
async def a_mortal_worker(stage: Stage) -> AsyncGenerator[tuple[str, Process]]:
    """The address and the process of a worker that answers slowly."""
    address = loopback_address()
    command = (sys.executable, "-m", "tests.api.router.slow_worker", address, str(stage.worker_port))
    process = await asyncio.create_subprocess_exec(*command)

    async def serves() -> bool:
        try:
            _, writer = await asyncio.open_connection(address, stage.worker_port)
        except OSError:
            return False
        writer.close()
        return True

    try:
        await until(serves)
        yield address, process
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def retries_of(api: RunningApi) -> float:
    lines = (await api.client.get("/metrics")).text.splitlines()
    return float(next(line.split()[1] for line in lines if line.startswith("coldstart_router_retries_total ")))


async def test_workers_killed_under_load_fail_no_request_that_must_not_fail(stage: Stage) -> None:
    """SIGKILL in the middle: a request without an answer gets another worker's, and a stream that had begun says so."""
    api = await stage.api(breaker_pause_seconds=0.05)
    await catalogued(api)
    async with a_mortal_worker(stage) as first, a_mortal_worker(stage) as second, a_mortal_worker(stage) as third:
        instances = [await stage.ready(address) for address, _ in (first, second, third)]
        scene = Scene(api, instances, [])
        await scene.eligible(3)
        retried = await retries_of(api)
        outcomes: list[str] = []
        ended = asyncio.Event()

        async def client(streams: bool) -> None:
            while not ended.is_set():
                answered = await api.chat(stream=streams)
                events = answered.text.split("\n\n")
                if not streams or events[-2] == "data: [DONE]":
                    told = "whole"
                else:
                    told = "broken" if '"worker_failed"' in events[-2] else events[-2]
                outcomes.append(f"{answered.status_code} {told}")

        async with asyncio.timeout(3 * PATIENCE_S), asyncio.TaskGroup() as group:
            for number in range(24):
                group.create_task(client(number % 2 == 0))
            for _, process in (first, second):
                await grown(outcomes, len(outcomes) + 100)
                process.kill()
            await grown(outcomes, len(outcomes) + 200)
            ended.set()
        assert set(outcomes) == {"200 whole", "200 broken"}, "and some streams were really cut"
        assert await retries_of(api) > retried, "and some requests had not been answered"
        assert set(outcomes[-100:]) == {"200 whole"}


@asynccontextmanager
async def database_hanging(stage: Stage) -> AsyncGenerator[None]:
    """Its processes are stopped (SIGSTOP): connections stay open, and nobody answers."""
    connection = await asyncpg.connect(stage.database_url)
    postmaster = psutil.Process(await connection.fetchval("SELECT pg_backend_pid()")).parent()
    await connection.close()
    assert postmaster is not None
    family = [postmaster, *postmaster.children()]
    for process in family:
        with suppress(psutil.NoSuchProcess):
            process.suspend()
    try:
        yield
    finally:
        for process in family:
            with suppress(psutil.NoSuchProcess):
                process.resume()


@pytest.mark.parametrize("gone", [database_away, database_hanging])
async def test_without_the_database_under_load_no_request_fails(stage: Stage, gone: Gone) -> None:
    """For as long as thirty of every period in which something looks into it, or waits for it, with a key that only the
    database knows."""
    period_s = 0.1
    scene = await a_scene(
        stage, 2, refresh_seconds=period_s, routes_refresh_seconds=period_s, usage_write_seconds=period_s,
        database_timeout_seconds=5 * period_s, limits_check_seconds=period_s, eta_refresh_seconds=period_s,
    )  # fmt: skip
    outcomes: list[int] = []
    ended = asyncio.Event()
    key = await scene.api.user_key(requests_per_minute=1_000_000, tokens_per_minute=1_000_000, max_concurrent=100)

    async def client(user: httpx.AsyncClient) -> None:
        while not ended.is_set():
            body = {"model": MODEL, "messages": []}
            outcomes.append((await user.post("/v1/chat/completions", json=body)).status_code)

    with capture_logs() as logs:
        async with scene.api.as_(key) as user, asyncio.TaskGroup() as group, gone(stage):
            away_since = asyncio.get_running_loop().time()

            async def long_enough() -> bool:
                return asyncio.get_running_loop().time() - away_since > 30 * period_s and len(outcomes) > 100

            for _ in range(8):
                group.create_task(client(user))
            await until(long_enough)
            ended.set()
    assert set(outcomes) == {200}
    missed = [log["reason"] for log in logs if log["event"] == "keys, organisations and models not refreshed"]
    assert missed, "it was really away, for all that looks into it"
    assert gone is database_away or "TimeoutError()" in missed
    assert (await scene.api.client.get("/readyz")).status_code == 200


async def grown(what: Sized, to: int) -> None:
    async def has() -> bool:
        return len(what) >= to

    await until(has)


async def test_a_draining_instance_gets_no_new_request(stage: Stage) -> None:
    scene = await a_scene(stage, 2)
    drained = await scene.api.client.post(f"/instances/{scene.instances[0].id}/drain")
    assert drained.status_code == 202
    await scene.eligible(1)
    scene.workers[0].seen.clear()
    for _ in range(5):
        assert (await scene.api.chat()).status_code == 200
    assert scene.workers[0].seen == []


async def test_a_session_stays_where_it_was_until_that_worker_goes(stage: Stage) -> None:
    scene = await a_scene(stage, 3)
    scene.api.client.headers["X-Session-Id"] = "conversation 7"
    served = {(await scene.api.chat()).headers["x-coldstart-instance"] for _ in range(9)}
    assert len(served) == 1
    await stage.happened(facts.termination_requested(), instance_id=scene.instances[index_of(scene, served)].id)
    await scene.eligible(2)
    moved = {(await scene.api.chat()).headers["x-coldstart-instance"] for _ in range(9)}
    assert len(moved) == 1
    assert moved != served


def index_of(scene: Scene, served: set[str]) -> int:
    return next(at for at, instance in enumerate(scene.instances) if str(instance.id) in served)
