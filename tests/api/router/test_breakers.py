"""A worker that keeps failing is set aside, and comes back once it answers."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest

from services.api.router.breakers import Breakers, BreakerState
from services.api.router.table import Worker
from tests.api.router.workers import a_worker

FIRST, SECOND = a_worker(1), a_worker(2)
PATIENCE_S = 120.0


class Health:
    """The `status` that a probe finds. `asked` counts the probes, and a test can wait for one. `gate` holds answers."""

    def __init__(self, status: int | None = 503) -> None:
        self.status = status
        self.asked = 0
        self.happened = asyncio.Event()
        self.gate = asyncio.Event()
        self.gate.set()

    async def __call__(self, _: Worker) -> int | None:
        self.asked += 1
        self.happened.set()
        await self.gate.wait()
        return self.status

    async def next(self) -> None:
        self.happened.clear()
        async with asyncio.timeout(PATIENCE_S):
            await self.happened.wait()


@asynccontextmanager
async def running(health: Health, failures: int = 3) -> AsyncGenerator[Breakers]:
    breakers = Breakers(health, failures=failures, first_pause_s=0.001, longest_pause_s=0.002)
    async with asyncio.TaskGroup() as group:
        task = group.create_task(breakers.run())
        yield breakers
        task.cancel()


def failed(breakers: Breakers, times: int) -> None:
    for _ in range(times):
        breakers.failed(FIRST)


async def test_it_takes_several_failures_in_a_row() -> None:
    breakers = Breakers(Health(), failures=3, first_pause_s=1, longest_pause_s=1)
    failed(breakers, 2)
    breakers.succeeded(FIRST)
    failed(breakers, 2)
    assert breakers.state(FIRST) is BreakerState.CLOSED
    failed(breakers, 1)
    assert breakers.state(FIRST) is BreakerState.OPEN
    assert (breakers.usable([FIRST, SECOND]), breakers.open) == ([SECOND], 1)


async def test_what_is_known_against_an_earlier_attempt_is_forgotten_with_the_next_one_s_first_failure() -> None:
    breakers = Breakers(Health(), failures=2, first_pause_s=1, longest_pause_s=1)
    failed(breakers, 2)
    again = replace(FIRST, authorization=b"Bearer another")
    breakers.failed(again)
    assert (breakers.state(FIRST), breakers.state(again)) == (BreakerState.CLOSED, BreakerState.CLOSED)
    breakers.succeeded(again)
    assert (breakers.usable([FIRST, SECOND]), breakers.open) == ([FIRST, SECOND], 0)


async def test_when_all_are_set_aside_all_but_those_with_a_dead_engine_are_tried() -> None:
    health = Health(503)
    async with asyncio.timeout(PATIENCE_S), running(health, failures=1) as breakers:
        failed(breakers, 1)
        assert breakers.usable([FIRST]) == [FIRST]
        breakers.suspect(SECOND)
        while not breakers.is_dead(SECOND):
            await health.next()
        assert breakers.usable([FIRST, SECOND]) == [FIRST]
        assert breakers.usable([SECOND]) == []
        health.status = 200
        while breakers.is_dead(SECOND):
            await health.next()
        assert breakers.usable([SECOND]) == [SECOND]


async def test_it_is_probed_again_and_again_and_comes_back_when_it_answers() -> None:
    health = Health()
    async with running(health) as breakers:
        failed(breakers, 3)
        await health.next()
        await health.next()
        assert breakers.usable([FIRST, SECOND]) == [SECOND]
        health.status = 200
        await health.next()
        assert breakers.state(FIRST) is BreakerState.HALF_OPEN
        assert breakers.usable([FIRST, SECOND]) == [FIRST, SECOND]


async def test_half_open_it_is_set_aside_by_one_failure_and_let_in_by_one_success() -> None:
    health = Health(200)
    async with running(health) as breakers:
        failed(breakers, 3)
        await health.next()
        failed(breakers, 1)
        assert breakers.state(FIRST) is BreakerState.OPEN
        await health.next()
        breakers.succeeded(FIRST)
        failed(breakers, 2)
        assert breakers.state(FIRST) is BreakerState.CLOSED


async def test_the_worker_of_another_attempt_begins_anew() -> None:
    breakers = Breakers(Health(), failures=1, first_pause_s=1, longest_pause_s=1)
    failed(breakers, 1)
    reinstalled = Worker(FIRST.instance_id, FIRST.address, b"Bearer another key")
    assert breakers.usable([reinstalled, SECOND]) == [reinstalled, SECOND]


async def test_one_that_is_gone_is_not_probed_any_more() -> None:
    health = Health()
    async with running(health) as breakers:
        failed(breakers, 3)
        await health.next()
        breakers.forget(FIRST.instance_id)
        for worker in (SECOND,) * 3:
            breakers.failed(worker)
        await health.next()
        asked = health.asked
        await health.next()
        assert health.asked == asked + 1
        assert breakers.open == 1


async def test_a_suspect_whose_engine_is_dead_is_set_aside_at_once() -> None:
    health = Health(503)
    async with running(health) as breakers:
        breakers.suspect(FIRST)
        await health.next()
        assert breakers.usable([FIRST, SECOND]) == [SECOND]
        breakers.succeeded(FIRST)
        assert breakers.usable([FIRST, SECOND]) == [SECOND], "what needs no engine proves nothing"
        health.status = 200
        await health.next()
        assert breakers.state(FIRST) is BreakerState.HALF_OPEN
        breakers.succeeded(FIRST)
        assert breakers.state(FIRST) is BreakerState.CLOSED


@pytest.mark.parametrize("status", [200, 404, 500, None])
async def test_a_suspect_whose_engine_is_not_known_to_be_dead_stays(status: int | None) -> None:
    health = Health(status)
    async with running(health) as breakers:
        breakers.suspect(FIRST)
        await health.next()
        assert breakers.state(FIRST) is BreakerState.CLOSED
        breakers.suspect(FIRST)
        await health.next()
        assert health.asked == 2, "it is asked again after the next 500"


async def test_a_suspect_is_asked_once_however_often_it_fails_meanwhile() -> None:
    health = Health(503)
    health.gate.clear()
    async with running(health) as breakers:
        for _ in range(5):
            breakers.suspect(FIRST)
        await health.next()
        breakers.suspect(SECOND)
        await health.next()
        assert health.asked == 2


async def test_a_suspect_that_is_gone_before_it_answers_leaves_nothing_behind() -> None:
    health = Health(503)
    health.gate.clear()
    async with running(health) as breakers:
        breakers.suspect(FIRST)
        await health.next()
        breakers.forget(FIRST.instance_id)
        breakers.suspect(SECOND)
        health.gate.set()
        await health.next()
        assert (breakers.open, breakers.state(FIRST)) == (1, BreakerState.CLOSED)
