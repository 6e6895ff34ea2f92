"""A running stack compacts its stream once a day, and an older stream's refusal ends nothing."""

import pytest

from coldstart.stack.retention import compacting_daily


class Over(Exception):
    """The test has seen enough."""


async def test_it_is_done_once_a_day_also_after_a_failure() -> None:
    happened: list[object] = []
    statuses = iter((0, 1, 0))

    async def pause(seconds: float) -> None:
        happened.append(seconds)

    async def compact() -> int:
        happened.append("compact")
        try:
            return next(statuses)
        except StopIteration:
            raise Over from None

    with pytest.raises(Over):
        await compacting_daily(compact, pause)
    assert happened == [600.0, "compact", 86_400.0, "compact", 86_400.0, "compact", 86_400.0, "compact"]
