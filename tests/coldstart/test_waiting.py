import pytest

from coldstart.waiting import expected
from tests.coldstart.told import an_eta


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
