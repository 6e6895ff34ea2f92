"""A machine's output is read line by line, no longer and no faster than its reader can bear."""

import asyncio
from collections.abc import Iterable
from contextlib import aclosing

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.machine_output import A_SECOND, AT_ONCE, LONGEST_LINE, Flood, Pace, lines


class Pieces:
    """An output that comes in these pieces."""

    def __init__(self, pieces: Iterable[str]) -> None:
        self._pieces = iter(pieces)
        self.read_so_far = 0

    async def read(self, n: int = -1) -> str:
        del n
        piece = next(self._pieces, "")
        self.read_so_far += len(piece)
        return piece


async def read(*pieces: str) -> list[str]:
    return [line async for line in lines(Pieces(pieces))]


async def test_lines_end_at_line_feeds_and_at_carriage_returns() -> None:
    assert await read("one\ntwo\r\nthr", "ee\r100 %\r", "\nfour") == ["one", "two", "three", "100 %", "", "four"]


async def test_a_line_that_goes_on_and_on_is_cut_and_the_next_one_is_whole() -> None:
    assert await read(*["x" * 10_000] * 50, "\nnext\n") == ["x" * LONGEST_LINE, "next"]


async def test_a_line_without_an_end_is_told_once_the_output_ends() -> None:
    assert await read(*["x" * 10_000] * 3) == ["x" * LONGEST_LINE]


@pytest.mark.parametrize("piece", ["x" * 16_384, "\n" * 16_384, "::phase::image_pull\n" * 800, "x"])
async def test_a_machine_that_prints_without_an_end_is_left(piece: str) -> None:
    output = Pieces(iter(lambda: piece, ""))
    heard = 0
    async with asyncio.timeout(20), aclosing(lines(output)) as printed:
        with pytest.raises(Flood):  # noqa: PT012  an iteration has a body
            async for _ in printed:
                heard += 1
    assert output.read_so_far <= AT_ONCE + 100_000
    assert heard <= AT_ONCE / 256 + 16_384


@given(st.lists(st.tuples(st.integers(0, AT_ONCE), st.floats(0, 1000))))
def test_over_any_time_no_more_is_allowed_than_the_pace(steps: list[tuple[int, float]]) -> None:
    pace, now, total = Pace(0.0), 0.0, 0
    for characters, pause in steps:
        now += pause
        total += characters
        if not pace.allows(characters, now):
            return
        assert total <= AT_ONCE + A_SECOND * now + 1


def test_what_comes_slowly_is_read_for_ever() -> None:
    pace = Pace(0.0)
    assert all(pace.allows(A_SECOND, float(second)) for second in range(100_000))
