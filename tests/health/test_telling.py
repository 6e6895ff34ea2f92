"""A health process that doubts what it sees says so while it lasts, and once that it is over."""

import asyncio
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest

from services.health.sight import Sight
from services.health.telling import Doubts, Telling
from shared import observation
from shared.bus.connection import connect
from shared.lifecycle.status import Status
from shared.observation import SUBJECT, Doubt
from tests.health.in_memory import hurried

AT = datetime(2026, 11, 30, 12, 0, tzinfo=UTC)
WITHIN_S = 60


def after(seconds: int) -> datetime:
    return AT + timedelta(seconds=seconds)


def test_a_process_without_doubts_says_nothing() -> None:
    doubts = Doubts(uuid4())
    assert [doubts.next(0, 0, after(n)) for n in range(3)] == [None] * 3


def test_an_outage_is_told_as_long_as_it_lasts_and_its_end_once() -> None:
    doubts = Doubts(uuid4())
    told = [doubts.next(size, 0, after(n)) for n, size in enumerate((0, 5, 5, 0, 0, 4))]
    assert told == [
        None,
        *(Doubt(observer=doubts.observer, since=after(1), silent_workers=size) for size in (5, 5, 0)),
        None,
        Doubt(observer=doubts.observer, since=after(5), silent_workers=4),
    ]
    assert [doubt.is_over for doubt in told if doubt] == [False, False, True, False]


def test_void_looks_are_told_by_how_many_there_were_since_the_last_time() -> None:
    doubts = Doubts(uuid4())
    told = [doubts.next(0, looks, after(n)) for n, looks in enumerate((3, 7, 7, 7))]
    assert [doubt and doubt.void_looks for doubt in told] == [3, 4, 0, None]


async def test_what_is_seen_goes_out_as_a_message_and_again(nats_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(observation, "EVERY_S", 0.01)
    connection, sight = await connect(nats_url, "health"), Sight(hurried())
    heard = await connection.subscribe(SUBJECT)
    workers = [uuid4() for _ in range(4)]
    for worker in workers:
        sight.saw(worker, Status.READY, silent=True)
    running = asyncio.create_task(Telling(connection, sight).run())

    async def next_doubt() -> Doubt:
        return Doubt.model_validate_json((await heard.next_msg(WITHIN_S)).data)

    size = sight.outage.size
    assert size > 0
    assert [(await next_doubt()).silent_workers for _ in range(3)] == [size] * 3
    for worker in workers:
        sight.saw(worker, Status.READY, silent=False)
    while not (doubt := await next_doubt()).is_over:
        pass
    sight.void()
    assert (await next_doubt()).void_looks == 1
    assert doubt.silent_workers == 0
    running.cancel()
    await connection.close()
