"""Whoever holds work says so when asked."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from uuid import UUID, uuid4

from nats.aio.client import Client

from shared.bus import held
from shared.bus.connection import connect
from shared.bus.held import Held, held_by_anybody, subject

DURABLE = "provisioner-launching"


@asynccontextmanager
async def holder(nats_url: str) -> AsyncGenerator[tuple[Held, Client]]:
    connection = await connect(nats_url, "a holder")
    holding = Held(DURABLE)
    await connection.subscribe(subject(DURABLE), cb=holding.answer)
    await connection.request("$JS.API.INFO", timeout=60)
    yield holding, connection
    await connection.close()


async def asked(nats_url: str, within_s: float = 1.0) -> frozenset[UUID] | None:
    connection = await connect(nats_url, "who asks")
    try:
        return await held_by_anybody(connection, DURABLE, within_s=within_s)
    finally:
        await connection.close()


async def test_what_any_of_several_holds_is_held(nats_url: str) -> None:
    ours, theirs, both = uuid4(), uuid4(), uuid4()
    async with holder(nats_url) as (first, _), holder(nats_url) as (second, _):
        with first.holding(ours), first.holding(both), second.holding(theirs), second.holding(both):
            assert await asked(nats_url) == frozenset({ours, theirs, both})
        assert await asked(nats_url) == frozenset()


async def test_an_instance_is_held_until_the_last_of_its_messages_is_let_go(nats_url: str) -> None:
    instance_id = uuid4()
    async with holder(nats_url) as (holding, _):
        with holding.holding(instance_id):
            with holding.holding(instance_id):
                pass
            assert await asked(nats_url) == frozenset({instance_id})


async def test_no_holder_is_something_else_than_holders_of_nothing(nats_url: str) -> None:
    assert await asked(nats_url) is None
    async with holder(nats_url):
        assert await asked(nats_url) == frozenset()


async def test_more_than_one_message_takes_comes_in_several(nats_url: str) -> None:
    ids = frozenset(UUID(int=number) for number in range(120_000))
    async with holder(nats_url) as (holding, _):
        holding._times.update(ids)
        async with asyncio.timeout(120):
            while await asked(nats_url, within_s=2.0) != ids:
                pass
    assert held._IN_A_MESSAGE * 16 < 1_000_000
