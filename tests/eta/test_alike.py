"""Which past launches count: those that began alike, and those since the last change of method."""

from statistics import median

import pytest
from hypothesis import given as for_any
from hypothesis import strategies as st

from coldstart.simulated_launches import simulated_launches
from shared.eta.alike import FEWEST, since_change
from shared.eta.backtest import after_change
from shared.eta.estimate import cold_start, estimate
from shared.eta.history import History
from shared.eta.launch import Launch
from shared.lifecycle.instance import Instance
from tests.eta.past import STEPS, a_launch, under_way
from tests.lifecycle import facts as f
from tests.lifecycle.arbitrary import law

WISH = {"provider": "scaleway", "instance_type": "L4-1-24G", "model": "Qwen/Qwen2.5-0.5B-Instruct"}
TOTAL = 10.0 * len(STEPS)
PLAIN = [a_launch(number=number) for number in range(20)]


LATER = [a_launch(number=100 + number) for number in range(20)]


def from_an_image(number: int, share: float = 0.9) -> Launch:
    """A little faster than the plain ones: too little to be seen from the time alone."""
    return a_launch(10.0 * share, number=number, machine_image=True, weights="cold")


def expected(*launches: Launch) -> float:
    return cold_start(History(launches), **WISH, at=f.AT).p50_seconds


def test_three_launches_that_began_in_another_way_are_believed_and_two_are_not() -> None:
    for count, share in ((FEWEST - 1, 1.0), (FEWEST, 0.9)):
        others = [from_an_image(100 + number) for number in range(count)]
        assert expected(*PLAIN, *others) == pytest.approx(share * TOTAL, rel=0.02)


def test_a_launch_is_compared_with_those_that_began_as_it_did() -> None:
    others = [from_an_image(number, 0.5) for number in range(FEWEST)]
    past = History([*others, *LATER])
    assert cold_start(past, **WISH, at=f.AT).p50_seconds == pytest.approx(TOTAL)
    plain = under_way(20, passed=10)
    prepared = under_way(20, passed=5).model_copy(update={"machine_image": "image-1"})
    for instance, share in ((plain, 1.0), (prepared, 0.5)):
        assert to_go(instance, past) == pytest.approx(share * 10 * (len(STEPS) - 1), rel=0.02)


def to_go(instance: Instance, past: History) -> float:
    given = estimate(instance, f.AT, past)
    assert given is not None
    return given.p50_seconds


def test_what_began_in_a_way_that_hardly_anything_did_is_compared_with_all() -> None:
    prepared = under_way(20, passed=10).model_copy(update={"machine_image": "image-1"})
    past = History([*PLAIN, from_an_image(100, 0.5)])
    assert to_go(prepared, past) == pytest.approx(TOTAL - 10, rel=0.1)


@pytest.mark.parametrize("share", [0.5, 2.0])
def test_a_change_that_only_the_time_tells_is_believed_after_three_launches(share: float) -> None:
    changed = [a_launch(10.0 * share, number=100 + number) for number in range(FEWEST)]
    assert expected(*PLAIN, *changed[:-1]) == pytest.approx(TOTAL, rel=0.02)
    assert expected(*PLAIN, *changed) == pytest.approx(share * TOTAL, rel=0.02)


def test_after_a_change_in_a_noisy_past_the_fourth_launch_is_expected_as_well_as_any() -> None:
    runs = [
        {row.number: row.error for row in after_change(list(simulated_launches(120, seed, faster_from=60)), 60)}
        for seed in range(1, 9)
    ]
    first, fourth, later = (median(run[number] for run in runs) for number in (1, 4, 8))
    assert first > 1
    assert fourth < 0.3
    assert fourth < later + 0.15


@law
@for_any(st.lists(st.floats(0, 1e6), max_size=60))
def test_what_counts_since_a_change_are_always_the_newest_and_never_too_few(seconds: list[float]) -> None:
    launches = [a_launch({100: took}, number=len(seconds) - number) for number, took in enumerate(seconds)]
    counted = since_change(launches)
    assert counted == launches[: len(counted)]
    assert len(counted) >= min(len(launches), FEWEST)


def test_a_past_that_drifts_and_swings_is_hardly_ever_cut() -> None:
    cut = 0
    for seed in range(1, 9):
        launches = [launch for launch in simulated_launches(100, seed) if launch.instance_type == "L4-1-24G"]
        cut += sum(len(since_change(launches[at : at + 40])) < 40 for at in range(0, len(launches) - 40, 5))
    assert cut <= 2
