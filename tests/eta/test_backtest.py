"""How good estimates are, in a simulated world that is noisy and drifts; the same in every run."""

import pytest
from hypothesis import given as for_any

from coldstart.simulated_launches import simulated_launches
from shared.eta.backtest import MOMENTS, backtest
from shared.eta.launch import Launch
from tests.eta.past import a_launch, pasts
from tests.lifecycle.arbitrary import law

COUNT = 500


def test_estimates_of_simulated_launches_are_close_honest_and_become_better() -> None:
    """One test, since the launches of each seed take most of a second to simulate and to look back on."""
    runs = [backtest(simulated_launches(COUNT, seed)) for seed in (1, 2, 3, 4, 5)]
    for first, *_ in runs:
        assert (first.moment, first.launches) == (MOMENTS[0], COUNT)
        assert first.error_of_total < 0.15
        assert 0.85 <= first.held <= 0.95
    firsts = [first.held for first, *_ in runs]
    assert sum(firsts) / len(firsts) == pytest.approx(0.9, abs=0.02)
    every = [score.held for run in runs for score in run]
    assert sum(every) / len(every) == pytest.approx(0.9, abs=0.02)
    for run in runs:
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
