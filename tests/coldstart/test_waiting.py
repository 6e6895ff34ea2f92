from datetime import timedelta

import pytest

from coldstart.waiting import briefly, expected, lasted, next_try, soon
from shared.lifecycle.fact import Action
from shared.lifecycle.instance import Delay
from tests.coldstart.told import BEGAN, an_eta


@pytest.mark.parametrize(
    ("p50_s", "p90_s", "words"),
    [
        (0.2, 3.0, "ready any moment, at {}; 90 % within 10 s, by {}"),
        (7.0, 21.0, "ready in about 10 s, at {}; 90 % within 30 s, by {}"),
        (44.0, 91.0, "ready in about 40 s, at {}; 90 % within 100 s, by {}"),
        (95.0, 96.0, "ready in about 100 s, at {}; 90 % within 2 min, by {}"),
        (125.0, 235.0, "ready in about 2 min, at {}; 90 % within 4 min, by {}"),
        (118.0, 119.0, "ready in about 2 min, at {}"),
        (3000.0, 9000.0, "ready in about 50 min, at {}; 90 % within 2.5 h, by {}"),
    ],
)
def test_a_wait_is_told_in_tens_of_seconds_minutes_or_half_hours_and_by_the_clock(
    p50_s: float, p90_s: float, words: str
) -> None:
    at, by = ((BEGAN + timedelta(seconds=seconds)).astimezone() for seconds in (p50_s, p90_s))
    assert expected(an_eta(p50_s, p90_s)) == words.format(f"{at:%H:%M}", f"{by:%H:%M}")


def test_the_next_try_is_told_by_the_clock_until_it_has_come() -> None:
    at = BEGAN + timedelta(seconds=90)
    delay = Delay(action=Action.CREATE, number=1, code="out_of_stock", reason="no L4", next_try_at=at)
    assert next_try(delay.next_try_at, BEGAN) == f"next try at {at.astimezone():%H:%M:%S}"
    assert next_try(delay.next_try_at, at) == "trying again"


def test_a_time_of_another_day_is_told_with_the_day() -> None:
    by = (BEGAN + timedelta(hours=25)).astimezone()
    assert expected(an_eta(6 * 3600, 25 * 3600)).endswith(f"90 % within 25 h, by {by:%a %H:%M}")


def test_briefly_it_is_the_likely_wait_and_the_time_of_the_clock_that_it_hardly_passes() -> None:
    by = (BEGAN + timedelta(seconds=235)).astimezone()
    assert briefly(an_eta(125, 235)) == f"in about 2 min, by {by:%H:%M}"
    assert soon(an_eta(2, 9)) == "any moment"


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(-3, "0 s"), (59.9, "59 s"), (60, "1 min 00 s"), (185, "3 min 05 s"), (3600, "1 h 00 min"), (7_860, "2 h 11 min")],
)
def test_what_has_lasted_is_told_in_its_two_largest_units(seconds: float, words: str) -> None:
    assert lasted(seconds) == words
