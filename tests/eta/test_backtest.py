"""How good estimates are, in a simulated world that is noisy and drifts; the same in every run."""

import pytest
from hypothesis import given as for_any

from coldstart.simulated_launches import simulated_launches
from shared.eta.backtest import MOMENTS, Score, backtest
from shared.eta.launch import Launch
from tests.eta.past import a_launch, pasts
from tests.lifecycle.arbitrary import law

COUNT = 500
SIMULATED = pytest.mark.xdist_group("simulated launches")  # made once, by the worker that has them all


@pytest.fixture(scope="module")
def scores() -> list[list[Score]]:
    return [backtest(simulated_launches(COUNT, seed)) for seed in (1, 2, 3, 4, 5)]


@SIMULATED
def test_after_a_third_of_a_launch_the_median_error_is_under_fifteen_percent(scores: list[list[Score]]) -> None:
    for first, *_ in scores:
        assert (first.moment, first.launches) == (MOMENTS[0], COUNT)
        assert first.error_of_total < 0.15


@SIMULATED
def test_the_p90_holds_in_85_to_95_of_100_launches(scores: list[list[Score]]) -> None:
    for first, *_ in scores:
        assert 0.85 <= first.held <= 0.95


@SIMULATED
def test_over_all_of_them_the_p90_holds_in_90_of_100(scores: list[list[Score]]) -> None:
    firsts = [first.held for first, *_ in scores]
    assert sum(firsts) / len(firsts) == pytest.approx(0.9, abs=0.02)
    every = [score.held for run in scores for score in run]
    assert sum(every) / len(every) == pytest.approx(0.9, abs=0.02)


@SIMULATED
def test_errors_shrink_as_the_launch_goes_on(scores: list[list[Score]]) -> None:
    for run in scores:
        errors = [score.error_of_total for score in run]
        assert errors == sorted(errors, reverse=True)


def test_a_launch_is_told_by_those_that_were_over_when_it_began_and_by_no_other() -> None:
    alone = backtest([a_launch()])[0].error_of_total
    at_once = [a_launch(number=number) for number in range(9)]
    all_over = at_once[0].ready_at
    together = [launch.model_copy(update={"ready_at": all_over}) for launch in at_once]
    assert backtest(together)[0].error_of_total == pytest.approx(alone)
    one_after_the_other = [a_launch(number=10 * number) for number in range(9)]
    assert backtest(one_after_the_other)[0].error_of_total < 0.01 < alone


@law
@for_any(pasts)
def test_any_past_can_be_replayed(past: list[Launch]) -> None:
    for score in backtest(past):
        assert score.launches <= len(past)
        assert 0 <= score.error_of_total <= score.error_of_remaining
        assert 0 <= score.held <= 1


def test_without_launches_there_is_nothing_to_say() -> None:
    assert backtest([]) == []
    assert backtest([a_launch(0.0)]) == []


def test_the_same_seed_makes_the_same_world() -> None:
    one, same, other = (list(simulated_launches(20, seed)) for seed in (7, 7, 8))
    assert one == same != other
