"""The place of a process among others: turns are taken by one at a time, and limits are divided."""

import asyncio
from pathlib import Path

from services.api.records.place import ALONE, ProcessPlace


async def test_a_turn_is_one_process_s_at_a_time_and_names_do_not_wait_for_each_other(tmp_path: Path) -> None:
    first, second = (ProcessPlace(process, 2, tmp_path) for process in range(2))
    entered = asyncio.Event()

    async def enter() -> None:
        async with second.turn(b"one"):
            entered.set()

    async with first.turn(b"one"):
        async with second.turn(b"another"):
            entering = asyncio.create_task(enter())
        for _ in range(3):
            async with second.turn(b"another"):
                await asyncio.sleep(0)
        assert not entered.is_set()
    await entering
    assert entered.is_set()


async def test_a_single_process_waits_for_nobody() -> None:
    async with ALONE.turn(b"one"), ALONE.turn(b"one"):
        pass


def test_the_parts_of_a_limit_do_not_exceed_it_unless_it_is_less_than_one_for_each() -> None:
    assert [ProcessPlace(0, 3, Path()).part(most) for most in (300, 100, 1, 0)] == [100, 33, 1, 0]
    assert [ALONE.part(most) for most in (100, 0)] == [100, 0]
