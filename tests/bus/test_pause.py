"""A pause ends early when it is cut short, also beforehand, and never outlasts its lease."""

import asyncio

import pytest

from shared.bus.lease import Lease, LeaseLost
from shared.bus.pause import Pause

LONG_S = 600.0
PATIENCE_S = 120.0


class Kept:
    async def in_progress(self) -> None: ...
    async def nak(self, delay: float | None = None) -> None: ...


def a_lease() -> Lease:
    return Lease(Kept(), redelivered=False, fence_s=60.0, clock=lambda: 0.0, confirmed_at=0.0)


async def test_a_pause_that_nobody_cuts_short_takes_all_its_time() -> None:
    assert await Pause(a_lease()).wait(0.001)


async def test_a_pause_can_be_cut_short_while_it_lasts_and_the_next_is_whole_again() -> None:
    pause = Pause(a_lease())
    async with asyncio.timeout(PATIENCE_S):
        waiting = asyncio.create_task(pause.wait(LONG_S))
        await asyncio.sleep(0)
        pause.cut_short()
        assert not await waiting
        assert await pause.wait(0.001)


async def test_what_cuts_short_before_the_pause_begins_is_not_lost() -> None:
    pause = Pause(a_lease())
    pause.cut_short()
    async with asyncio.timeout(PATIENCE_S):
        assert not await pause.wait(LONG_S)


async def test_a_pause_ends_with_its_lease() -> None:
    lease = a_lease()
    waiting = asyncio.create_task(Pause(lease).wait(LONG_S))
    await asyncio.sleep(0)
    await lease.surrender()
    async with asyncio.timeout(PATIENCE_S):
        with pytest.raises(LeaseLost):
            await waiting
