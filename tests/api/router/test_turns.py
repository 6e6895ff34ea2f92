"""Long work yields to the event loop after each step."""

import asyncio

import pytest

from services.api.router.members import Steps
from services.api.router.turns import Turns


def steps(name: str, count: int, done: list[str]) -> Steps[str]:
    for _ in range(count):
        done.append(name)
        yield
    return name


async def test_others_have_a_turn_between_two_steps_and_long_work_takes_turns() -> None:
    turns, done = Turns(), list[str]()

    async def others() -> None:
        while True:
            done.append("other")
            await asyncio.sleep(0)

    other = asyncio.create_task(others())
    assert await asyncio.gather(*(turns.finished(steps(name, 20, done)) for name in "ab")) == ["a", "b"]
    other.cancel()
    told = "".join(name[0] for name in done)
    between = told.partition("ab")[2]  # the first step of each is free
    assert max(map(len, between.split("o"))) == 1
    assert between.replace("o", "")[:30] in ("ab" * 15, "ba" * 15)


async def test_who_is_cancelled_or_fails_keeps_nobody_else_from_its_turn() -> None:
    turns = Turns()

    def failing() -> Steps[None]:
        yield
        raise ValueError("no more")

    with pytest.raises(ValueError, match="no more"):
        await turns.finished(failing())
    waiting = asyncio.create_task(turns.finished(steps("a", 1_000_000, [])))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert await turns.finished(steps("b", 3, [])) == "b"
