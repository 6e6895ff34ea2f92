"""Dead letters of a real stream, as a person sees them and has them handled again."""

import asyncio
import json
from collections.abc import AsyncGenerator
from typing import Any
from uuid import uuid4

import pytest
from nats.aio.client import Client
from typer.testing import CliRunner

from coldstart.cli import app
from shared.bus.connection import connect
from shared.bus.topology import LAUNCH, REPLAYS, apply_topology
from shared.journal.journal import Journal
from shared.journal.streams import LIFECYCLE
from shared.postgres.connection import connect_pool
from shared.postgres.migrate import migrate
from tests.lifecycle import facts


@pytest.fixture
async def stream(nats_url: str, database_url: str, monkeypatch: pytest.MonkeyPatch) -> AsyncGenerator[Client]:
    monkeypatch.setenv("COLDSTART_NATS_URL", nats_url)
    monkeypatch.setenv("COLDSTART_DATABASE_URL", database_url)
    connection = await connect(nats_url, "test")
    await apply_topology(connection.jetstream(), replicas=1, ack_wait_s=5)
    async with connect_pool(database_url, name="test") as pool:
        await migrate(pool)
        yield connection
    await connection.close()


async def run(*words: str) -> Any:
    return await asyncio.to_thread(CliRunner().invoke, app, ["deadletters", *words])


async def an_event(stream: Client) -> tuple[int, bytes]:
    requested = facts.instance_requested(instance_id=uuid4())
    await Journal(stream, actor="test", source="/test").request(requested, intent_id=uuid4())
    sequence = (await stream.jetstream().stream_info(LIFECYCLE)).state.last_seq
    return sequence, (await stream.jetstream().get_msg(LIFECYCLE, sequence)).data or b""


async def a_letter(stream: Client, consumer: str, sequence: int, data: bytes) -> int:
    headers = {
        "Coldstart-Origin": f"{LIFECYCLE}:{sequence}",
        "Coldstart-Reason": "[too] new",
        "Coldstart-Subject": "lifecycle.an-id.InstanceRequested",
    }
    return (await stream.jetstream().publish(f"dead_letters.{consumer}", data, headers=headers)).seq


async def numbers() -> list[int]:
    return [letter["number"] for letter in json.loads((await run("list", "--json")).stdout)]


async def test_they_are_listed_with_their_reason_and_origin(stream: Client) -> None:
    await a_letter(stream, LAUNCH.durable, 4, b"{}")
    assert (
        (await run("list"))
        .stdout.splitlines()[1]
        .endswith(f"lifecycle.an-id.InstanceRequested  {LIFECYCLE}:4  [too] new")
    )
    (told,) = json.loads((await run("list", "--json")).stdout)
    assert told.pop("at")
    assert told == {
        "number": 1,
        "consumer": LAUNCH.durable,
        "subject": "lifecycle.an-id.InstanceRequested",
        "origin": f"{LIFECYCLE}:4",
        "reason": "[too] new",
    }


async def test_one_is_handed_back_to_its_consumer_and_the_others_stay(stream: Client) -> None:
    event = await an_event(stream)
    first = await a_letter(stream, LAUNCH.durable, *event)
    second = await a_letter(stream, LAUNCH.durable, *event)
    result = await run("replay", str(second))
    assert result.exit_code == 0, result.output
    assert await numbers() == [first]
    waiting = await stream.jetstream().get_last_msg(REPLAYS, f"replays.{LAUNCH.durable}")
    assert waiting.data == event[1]


async def test_one_of_progress_is_projected_and_goes(stream: Client, database_url: str) -> None:
    await a_letter(stream, "progress", *await an_event(stream))
    result = await run("replay", "--all", "--yes")
    assert result.exit_code == 0, result.output
    assert await numbers() == []
    async with connect_pool(database_url, name="test") as pool:
        assert await pool.fetchval("SELECT count(*) FROM timeline") == 1


async def test_what_still_cannot_be_handled_stays_and_is_named(stream: Client) -> None:
    sequence, data = await an_event(stream)
    kept = [
        await a_letter(stream, LAUNCH.durable, sequence, b"{}"),
        await a_letter(stream, "nobody", sequence, data),
        await a_letter(stream, "progress", 1000, data),
    ]
    result = await run("replay", "--all", "--yes")
    assert result.exit_code == 1
    assert "1  still cannot be read: " in result.stderr
    assert "2  there is no consumer nobody" in result.stderr
    assert await numbers() == kept


@pytest.mark.parametrize(("words", "status"), [((), 2), (("1", "--all"), 2), (("7",), 1)])
async def test_words_that_name_no_letter_are_refused(stream: Client, words: tuple[str, ...], status: int) -> None:
    await a_letter(stream, LAUNCH.durable, *await an_event(stream))
    assert (await run("replay", *words)).exit_code == status
    assert await numbers() == [1]


async def test_without_a_stack_it_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLDSTART_NATS_URL", "nats://127.0.0.1:1")
    monkeypatch.setenv("COLDSTART_DATABASE_URL", "postgresql://127.0.0.1:1/none")
    result = await run("list")
    assert result.exit_code == 1
    assert "NATS does not answer" in result.stderr
