import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator.scenario import Call, Error
from tests.chaos.faults import CALLS, ERRORS, SECONDS, WEIGHTS, Fault, Kind, drawn, hurried

SEEDS = st.integers(0, 10**6)


@given(SEEDS, st.integers(1, 60), st.integers(0, 60))
def test_a_seed_draws_the_same_faults_and_a_longer_plan_begins_with_a_shorter_one(
    seed: int, count: int, more: int
) -> None:
    assert drawn(seed, count + more, 0.5)[:count] == drawn(seed, count, 0.5)


@given(SEEDS)
def test_a_written_plan_is_read_as_it_was(seed: int) -> None:
    for fault in drawn(seed, 20, 0.5):
        assert Fault.read(fault.written()) == fault


def test_a_plan_of_a_thousand_has_every_kind_about_as_often_as_its_weight_says() -> None:
    plan = drawn(7, 1000, 0.5)
    for kind, weight in WEIGHTS.items():
        share = sum(fault.kind is kind for fault in plan) * sum(WEIGHTS.values()) / 1000
        assert weight / 2 <= share <= weight * 2, kind


def test_every_fault_that_has_to_heal_says_when() -> None:
    for fault in drawn(8, 500, 0.5):
        low, high = SECONDS.get(fault.kind, (0.0, 0.0))
        assert low <= fault.seconds <= high


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("error", ERRORS)
def test_the_simulated_cloud_knows_what_is_asked_of_it(call: str, error: str) -> None:
    assert Call(call)
    assert Error(error)


def test_what_is_left_of_a_plan_does_not_wait_for_what_was_left_out() -> None:
    plan = (Fault(Kind.KILL, 40.0, "api-0"), Fault(Kind.LEADER, 0.2))
    assert [fault.after for fault in hurried(plan, 1.0)] == [1.0, 0.2]
    assert [fault.target for fault in hurried(plan)] == ["api-0", ""]
