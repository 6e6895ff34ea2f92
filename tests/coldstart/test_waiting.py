from datetime import timedelta

import pytest

from coldstart.waiting import briefly, expected, lasted, soon
from tests.coldstart.told import BEGAN, an_eta


@pytest.mark.parametrize(
    ("p50_s", "p90_s", "words"),
    [
        (0.2, 3.0, "ready any moment, 90 % within 10 s"),
        (7.0, 21.0, "ready in about 10 s, 90 % within 30 s"),
        (44.0, 91.0, "ready in about 40 s, 90 % within 100 s"),
        (95.0, 96.0, "ready in about 100 s, 90 % within 2 min"),
        (125.0, 235.0, "ready in about 2 min, 90 % within 4 min"),
        (118.0, 119.0, "ready in about 2 min"),
        (3000.0, 9000.0, "ready in about 50 min, 90 % within 2.5 h"),
        (6 * 3600.0, 24 * 3600.0, "ready in about 6 h, 90 % within 24 h"),
    ],
)
def test_a_wait_is_told_in_tens_of_seconds_minutes_or_half_hours(p50_s: float, p90_s: float, words: str) -> None:
    assert expected(an_eta(p50_s, p90_s)) == words


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
