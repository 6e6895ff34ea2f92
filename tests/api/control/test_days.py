"""Which days a report is about."""

from datetime import date, timedelta

import pytest

from services.api.control.days import LONGEST, days
from services.api.refusals import Invalid

TODAY = date(2026, 3, 1)


def test_by_default_it_is_thirty_days_and_today_the_last_of_them() -> None:
    first, last = days(None, None, TODAY)
    assert last == TODAY
    assert (last - first).days + 1 == 30
    assert days(None, "2026-01-30", TODAY) == (date(2026, 1, 1), date(2026, 1, 30))


def test_both_ends_count_towards_the_most_that_are_told_at_once() -> None:
    longest = TODAY - timedelta(days=LONGEST - 1)
    assert days(str(longest), str(TODAY), TODAY) == (longest, TODAY)
    with pytest.raises(Invalid, match="at most 366 days"):
        days(str(longest - timedelta(days=1)), str(TODAY), TODAY)


def test_the_first_comes_before_the_last() -> None:
    with pytest.raises(Invalid, match="is after"):
        days(str(TODAY + timedelta(days=1)), None, TODAY)


@pytest.mark.parametrize("written", ["null", "", "20260301", "2026-W09-7", "2026-02-30", "1", "2026-03-01T00:00:00Z"])
def test_what_is_written_otherwise_is_no_day(written: str) -> None:
    with pytest.raises(Invalid, match="invalid day"):
        days(written, None, TODAY)
