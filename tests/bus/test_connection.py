"""The connection survives what time-outs do to it."""

import asyncio

import pytest

from shared.bus.connection import connect, round_trip
from tests.nats_proxy import Operation, nats_proxy


async def test_a_round_trip_that_was_given_up_does_no_harm_when_its_answer_comes_late(nats_url: str) -> None:
    async with nats_proxy(nats_url) as proxy:
        connection = await connect(proxy.url, "test")
        given_up = asyncio.Event()

        async def late(operation: Operation) -> bool:
            if operation.verb == "PONG":
                await given_up.wait()
            return True

        proxy.to_client = late
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.1):
                await round_trip(connection)()
        given_up.set()
        await round_trip(connection)()
        await connection.request("$JS.API.INFO", timeout=2)
        await connection.close()
