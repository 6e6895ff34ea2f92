"""A block that lasts while its client is connected ends when the client leaves, and cancels nothing after it."""

import asyncio

import pytest

from services.api.http.connection import WhileConnected


class Client:
    """Leaves when it is told to."""

    def __init__(self) -> None:
        self.left = asyncio.Event()

    async def receive(self) -> dict[str, str]:
        await self.left.wait()
        return {"type": "http.disconnect"}


async def test_the_block_ends_where_it_stands_when_the_client_leaves() -> None:
    client = Client()
    async with WhileConnected(client.receive) as connected:  # type: ignore[arg-type]
        client.left.set()
        await asyncio.Event().wait()
    assert connected.left
    await asyncio.sleep(0)


@pytest.mark.parametrize("turns", range(8))
async def test_a_client_that_leaves_as_the_block_ends_cancels_nothing_behind_it(turns: int) -> None:
    client = Client()
    async with WhileConnected(client.receive):  # type: ignore[arg-type]
        await asyncio.sleep(0)
        client.left.set()
        for _ in range(turns):
            await asyncio.sleep(0)
    for _ in range(10):
        await asyncio.sleep(0)
    task = asyncio.current_task()
    assert task is not None
    assert task.cancelling() == 0


async def test_the_end_of_an_answer_is_no_leaving() -> None:
    client = Client()
    async with WhileConnected(client.receive, lambda: True) as connected:  # type: ignore[arg-type]
        client.left.set()
        for _ in range(5):
            await asyncio.sleep(0)
    assert not connected.left


async def test_who_cancels_from_outside_is_heard() -> None:
    client = Client()

    async def serve() -> None:
        async with WhileConnected(client.receive):  # type: ignore[arg-type]
            await asyncio.Event().wait()

    serving = asyncio.create_task(serve())
    await asyncio.sleep(0)
    serving.cancel()
    with pytest.raises(asyncio.CancelledError):
        await serving
