"""How good estimates are, in a simulated world that is noisy and drifts; the same in every run."""

from datetime import timedelta

import pytest

from coldstart.simulated_launches import simulated_launches
from shared.eta.backtest import MOMENTS, Score, backtest
from tests.eta.past import a_launch

COUNT = 500


@pytest.fixture(scope="module")
def scores() -> list[list[Score]]:
    return [backtest(simulated_launches(COUNT, seed)) for seed in (1, 3, 4)]


def test_after_a_third_of_a_launch_the_median_error_is_under_fifteen_percent(scores: list[list[Score]]) -> None:
    for first, *_ in scores:
        assert (first.moment, first.launches) == (MOMENTS[0], COUNT)
        assert first.error_of_total < 0.15


def test_the_p90_holds_in_85_to_95_of_100_launches(scores: list[list[Score]]) -> None:
    for first, *_ in scores:
        assert 0.85 <= first.held <= 0.95
    every = [score.held for run in scores for score in run]
    assert 0.85 <= sum(every) / len(every) <= 0.95


def test_errors_shrink_as_the_launch_goes_on(scores: list[list[Score]]) -> None:
    for run in scores:
        errors = [score.error_of_total for score in run]
        assert errors == sorted(errors, reverse=True)


def test_no_launch_is_told_by_one_that_was_not_over_when_it_began() -> None:
    """Each takes twice as long as the one before: who knew the future would be right."""
    telling = [a_launch(float(2**number), number=number) for number in range(8)]
    at_once = [launch.model_copy(update={"ready_at": telling[0].began_at + timedelta(days=9)}) for launch in telling]
    told_apart, told_at_once = backtest(telling)[0], backtest(at_once)[0]
    assert told_apart.error_of_total > 0.2
    assert told_at_once == backtest(reversed(at_once))[0]


def test_without_launches_there_is_nothing_to_say() -> None:
    assert backtest([]) == []
    assert backtest([a_launch(0.0)]) == []


def test_the_same_seed_makes_the_same_world() -> None:
    one, same, other = (list(simulated_launches(20, seed)) for seed in (7, 7, 8))
    assert one == same != other
