from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from tests.chaos.shrinking import shrunk

CULPRITS = st.frozensets(st.integers(0, 63), min_size=1, max_size=4)


class Cluster:
    """Breaks when all of these are done to it."""

    def __init__(self, culprits: frozenset[int]) -> None:
        self.culprits = culprits
        self.runs = 0

    async def breaks(self, part: Sequence[int]) -> bool:
        self.runs += 1
        return self.culprits <= set(part)


@given(CULPRITS)
async def test_what_is_left_is_what_breaks_it(culprits: frozenset[int]) -> None:
    cluster = Cluster(culprits)
    kept: list[Sequence[int]] = []
    assert set(await shrunk(range(64), cluster.breaks, tries=500, found=kept.append)) == culprits
    assert [len(each) for each in kept] == sorted((len(each) for each in kept), reverse=True)
    assert cluster.runs < 120


async def test_the_tries_are_counted_and_the_best_so_far_is_kept() -> None:
    cluster = Cluster(frozenset({3}))
    shorter = await shrunk(range(64), cluster.breaks, tries=3)
    assert cluster.runs == 3
    assert 3 in shorter
    assert len(shorter) <= 32


async def test_a_plan_that_breaks_nothing_more_stays_whole() -> None:
    async def never(_: Sequence[int]) -> bool:
        return False

    assert list(await shrunk([1, 2, 3], never, tries=50)) == [1, 2, 3]
