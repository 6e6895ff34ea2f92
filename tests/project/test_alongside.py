"""Work beside a block: as long as the block, and no longer."""

import asyncio

import pytest

from shared.running import alongside


async def until_cancelled(ended: list[str], name: str) -> None:
    try:
        await asyncio.Event().wait()
    finally:
        ended.append(name)


async def test_all_of_it_is_cancelled_behind_the_block() -> None:
    ended: list[str] = []
    async with alongside(until_cancelled(ended, "one"), until_cancelled(ended, "two")):
        await asyncio.sleep(0)
        assert not ended
    assert sorted(ended) == ["one", "two"]


async def test_work_that_fails_ends_the_block_and_the_rest() -> None:
    ended: list[str] = []

    async def failing() -> None:
        raise LookupError("lost")

    with pytest.RaisesGroup(pytest.RaisesExc(LookupError, match="lost")):
        async with alongside(failing(), until_cancelled(ended, "rest")):
            await asyncio.Event().wait()
    assert ended == ["rest"]


async def test_a_block_that_fails_ends_the_work() -> None:
    ended: list[str] = []
    with pytest.RaisesGroup(pytest.RaisesExc(KeyError)):
        async with alongside(until_cancelled(ended, "work")):
            await asyncio.sleep(0)
            raise KeyError
    assert ended == ["work"]
