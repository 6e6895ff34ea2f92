"""A block that lasts while its client is connected ends when the client leaves, and cancels nothing after it."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from services.api.http.connection import WhileConnected
from services.api.http.front.leaving import EXTENSION


class Client:
    """Leaves when it is told to."""

    def __init__(self) -> None:
        self._left: Callable[[], None] | None = None
        self.gone = False

    @property
    def scope(self) -> dict[str, Any]:
        return {"extensions": {EXTENSION: self.watch}}

    def watch(self, left: Callable[[], None]) -> None:
        self._left = left
        if self.gone:
            left()

    def leave(self) -> None:
        self.gone = True
        if self._left is not None:
            self._left()


async def test_the_block_ends_where_it_stands_when_the_client_leaves() -> None:
    client = Client()
    async with WhileConnected(client.scope) as connected:
        asyncio.get_running_loop().call_soon(client.leave)
        await asyncio.Event().wait()
    assert connected.left
    await asyncio.sleep(0)


async def test_the_block_of_a_client_that_has_left_before_it_ends_at_its_first_wait() -> None:
    client = Client()
    client.leave()
    async with WhileConnected(client.scope) as connected:
        await asyncio.Event().wait()
    assert connected.left


@pytest.mark.parametrize("turns", range(8))
@pytest.mark.parametrize("inside", [True, False])
async def test_a_client_that_leaves_as_the_block_ends_cancels_nothing_behind_it(turns: int, *, inside: bool) -> None:
    client = Client()
    async with WhileConnected(client.scope):
        await asyncio.sleep(0)
        asyncio.get_running_loop().call_soon(client.leave)
        if inside:
            client.leave()
        for _ in range(turns):
            await asyncio.sleep(0)
    for _ in range(10):
        await asyncio.sleep(0)
    task = asyncio.current_task()
    assert task is not None
    assert task.cancelling() == 0


async def test_who_cancels_from_outside_is_heard() -> None:
    client = Client()

    async def serve() -> None:
        async with WhileConnected(client.scope):
            await asyncio.Event().wait()

    serving = asyncio.create_task(serve())
    await asyncio.sleep(0)
    serving.cancel()
    with pytest.raises(asyncio.CancelledError):
        await serving
