"""A health service that doubts itself: a warning of /readyz, and no reason to send requests elsewhere."""

from datetime import UTC, datetime
from uuid import uuid4

from nats.aio.client import Client
from nats.aio.msg import Msg

from services.api.observers import FORGOTTEN_S, Observers
from shared.observation import SUBJECT, Doubt
from tests.api.stage import Stage, until

DOUBT = Doubt(observer=uuid4(), since=datetime(2026, 11, 30, 12, 0, tzinfo=UTC), silent_workers=5)
LATE = Doubt(observer=uuid4(), since=DOUBT.since, void_looks=3)


def said(doubt: Doubt) -> Msg:
    return Msg(Client(), SUBJECT, data=doubt.model_dump_json().encode())


async def test_readyz_warns_while_a_health_process_doubts_itself_and_is_ready_all_the_same(stage: Stage) -> None:
    api = await stage.api()

    async def says(warnings: list[str]) -> bool:
        answer = await api.client.get("/readyz")
        return answer.status_code == 200 and answer.json()["warnings"] == warnings

    async def told() -> bool:
        return await says([DOUBT.warning])

    async def over() -> bool:
        return await says([])

    await until(over)
    await stage.connection.publish(SUBJECT, DOUBT.model_dump_json().encode())
    await until(told)
    assert "coldstart_doubting_observers 1.0" in (await api.client.get("/metrics")).text
    await stage.connection.publish(SUBJECT, b"no doubt")
    await stage.connection.publish(SUBJECT, DOUBT.model_copy(update={"silent_workers": 0}).model_dump_json().encode())
    await until(over)


async def test_each_process_is_told_of_by_itself() -> None:
    observers = Observers()
    for doubt in (DOUBT, LATE, DOUBT):
        await observers.on_message(said(doubt))
    assert sorted(observers.warnings) == sorted([DOUBT.warning, LATE.warning])
    assert "5 workers fell silent at once, at 2026-11-30 12:00 UTC" in DOUBT.warning
    assert "late since 2026-11-30 12:00 UTC" in LATE.warning


async def test_a_doubt_that_is_over_is_forgotten_at_once() -> None:
    observers = Observers()
    for doubt in (DOUBT, LATE, LATE.model_copy(update={"void_looks": 0})):
        await observers.on_message(said(doubt))
    assert observers.warnings == [DOUBT.warning]


async def test_a_process_that_says_nothing_more_is_forgotten() -> None:
    now = 0.0
    observers = Observers(clock=lambda: now)
    await observers.on_message(said(DOUBT))
    now = FORGOTTEN_S
    assert observers.warnings == [DOUBT.warning]
    now += 1
    assert observers.warnings == []
