"""A batch is decoded while the one before is stored; what storing it raises is not lost."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from uuid import UUID, uuid4

import pytest
from nats.aio.msg import Msg

from services.progress.pipeline import pipelined
from services.progress.projection import OfAnotherInstallation, Projection
from services.progress.statements import sql
from shared.bus.reader import reading
from shared.journal.envelope import Undecodable
from shared.journal.recorded import AnyRecorded
from shared.postgres.connection import Connection
from tests.lifecycle import histories as h
from tests.progress.service import Stage
from tests.progress.test_projection import nothing_is_put_aside

INSTALLATION = UUID("7c0d9a52-1b7e-4a57-9b6f-4a4f1e2d3c4b")


async def all_messages(stage: Stage) -> list[Msg]:
    last = await stage.author.write(h.a_launch())
    messages: list[Msg] = []
    async with reading(stage.author.connection, after=0, heartbeat_s=5.0) as events:
        while len(messages) < last:
            messages += await events.batch()
    return messages


@asynccontextmanager
async def nothing_is_stored(database: Connection) -> AsyncGenerator[None]:
    """A session that exchanges tables keeps everybody from storing."""
    await database.execute(sql("hold_tables"))
    yield
    await database.execute(sql("hold_tables").replace("pg_advisory_lock", "pg_advisory_unlock"))


async def stored(database: Connection) -> int:
    return int(await database.fetchval("SELECT count(*) FROM timeline"))


async def test_a_batch_is_decoded_while_the_one_before_is_stored(stage: Stage, database: Connection) -> None:
    messages = await all_messages(stage)
    decoded: list[Msg] = []
    all_decoded = asyncio.Event()

    def seen(message: Msg, _: AnyRecorded | Undecodable) -> None:
        decoded.append(message)
        if len(decoded) == len(messages):
            all_decoded.set()

    projection = Projection(database, INSTALLATION, nothing_is_put_aside, seen=seen)
    async with pipelined(projection) as pipeline:
        async with nothing_is_stored(stage.database), asyncio.timeout(120):
            await pipeline.take(messages[:2])
            taking = asyncio.create_task(pipeline.take(messages[2:]))
            await all_decoded.wait()
            assert await stored(stage.database) == 0
        await taking
        await pipeline.stored()
    assert decoded == messages
    assert await stored(stage.database) == len(messages)


async def test_what_storing_raises_is_raised_to_whoever_goes_on(stage: Stage, database: Connection) -> None:
    messages = await all_messages(stage)
    await Projection(database, INSTALLATION, nothing_is_put_aside).commit([], 0)
    async with pipelined(Projection(database, uuid4(), nothing_is_put_aside)) as pipeline:
        await pipeline.take(messages[:2])
        with pytest.raises(OfAnotherInstallation):
            await pipeline.take(messages[2:])
    async with pipelined(Projection(database, uuid4(), nothing_is_put_aside)) as pipeline:
        await pipeline.take(messages)
        with pytest.raises(OfAnotherInstallation):
            await pipeline.stored()


async def test_what_is_being_stored_at_the_end_is_abandoned(stage: Stage, database: Connection) -> None:
    messages = await all_messages(stage)
    async with nothing_is_stored(stage.database), asyncio.timeout(120):
        async with pipelined(Projection(database, INSTALLATION, nothing_is_put_aside)) as pipeline:
            await pipeline.take(messages)
            assert not pipeline.idle
        assert pipeline.idle
    assert await stored(stage.database) == 0
