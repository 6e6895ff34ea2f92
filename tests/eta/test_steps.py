"""How long steps usually take."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.eta.history import Group, History
from shared.eta.launch import READY, Launch, first_percent
from shared.eta.steps import UsualSteps, usual_steps
from shared.lifecycle.progress import LABELS, STEPS
from tests.eta.past import STEPS as SHOWN
from tests.eta.past import a_launch, pasts

MODEL = "Qwen/Qwen2.5-0.5B-Instruct"


def usual(history: History, attempt: int = 1) -> UsualSteps:
    return usual_steps(history, provider="scaleway", instance_type="L4-1-24G", model=MODEL, attempt=attempt)


def test_each_step_has_the_words_that_people_see_elsewhere() -> None:
    assert set(STEPS.values()) <= set(LABELS.values())


def test_without_a_past_it_is_assumed() -> None:
    assumed = usual(History())
    assert assumed.basis.group is Group.BUILT_IN
    assert [step.label for step in assumed.items] == list(STEPS.values())
    assert all(0 < step.p50_seconds < step.p90_seconds for step in assumed.items)


def test_a_step_s_time_is_what_launches_of_this_kind_spent_in_it() -> None:
    launches = [a_launch({percent: float(number) for percent in SHOWN}, number=number) for number in range(1, 10)]
    found = usual(History([*launches, *(a_launch(999.0, number=n, model="another") for n in range(20, 30))]))
    creating = found.items[0]
    assert (found.basis.group, found.basis.launches) == (Group.MODEL, 9)
    assert (creating.percent, creating.until_percent) == (5, 20)
    assert creating.p50_seconds == 6.0, "the newest, which took longer, count more"
    assert creating.p90_seconds == 9.0


def test_a_reinstall_has_the_steps_of_a_reinstall() -> None:
    launches = [a_launch(7.0, number=number, attempt=2) for number in range(3)]
    found = usual(History(launches), attempt=2)
    assert [step.percent for step in found.items] == [percent for percent in STEPS if percent >= first_percent(2)]
    assert found.items[0].p50_seconds == pytest.approx(7.0)


@given(pasts, st.sampled_from((1, 2)))
def test_whatever_the_past_the_steps_follow_each_other_and_bands_have_a_width(past: list[Launch], attempt: int) -> None:
    found = usual(History(past), attempt).items
    assert [step.until_percent for step in found] == [*(step.percent for step in found[1:]), READY]
    assert all(0 <= step.p50_seconds <= step.p90_seconds for step in found)
