"""A schedule: which bounds hold at a moment, which come, and which schedule cannot be."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from shared.deployments.load import Bounds
from shared.deployments.wish import Scaling, Turn
from shared.schedule import bounds, mistakes

PARIS = ZoneInfo("Europe/Paris")
MORNING = Turn(cron="0 8 * * mon-fri", time_zone="Europe/Paris", min_replicas=2, max_replicas=8)
EVENING = Turn(cron="30 18 * * *", time_zone="Europe/Paris", min_replicas=0, max_replicas=1)
OFFICE = Scaling(min_replicas=1, max_replicas=3, schedule=(MORNING, EVENING))


def minima(scaling: Scaling, now: datetime, ahead_s: float = 0) -> list[int]:
    return [each.min_replicas for each in bounds(scaling, now, ahead_s)]


def test_without_a_schedule_the_bounds_hold_always() -> None:
    assert bounds(Scaling(min_replicas=1, max_replicas=3), datetime.now(UTC), 600) == (
        Bounds(min_replicas=1, max_replicas=3),
    )


def test_the_last_turn_holds_until_another_comes() -> None:
    monday = datetime(2026, 1, 5, tzinfo=PARIS)
    assert minima(OFFICE, monday.replace(hour=7, minute=59)) == [0]
    assert minima(OFFICE, monday.replace(hour=8)) == [2]
    assert minima(OFFICE, monday.replace(hour=18, minute=29)) == [2]
    assert minima(OFFICE, monday.replace(hour=18, minute=30)) == [0]
    assert minima(OFFICE, monday.replace(day=10, hour=12)) == [0], "a Saturday"


def test_a_turn_within_the_lead_is_there_with_its_moment() -> None:
    now = datetime(2026, 1, 5, 7, 50, tzinfo=PARIS)
    assert minima(OFFICE, now, ahead_s=599) == [0]
    assert bounds(OFFICE, now, ahead_s=600)[1:] == (
        Bounds(min_replicas=2, max_replicas=8, since=datetime(2026, 1, 5, 7, 0, tzinfo=UTC)),
    )


def test_of_two_turns_at_one_moment_the_later_entry_holds() -> None:
    same = EVENING.model_copy(update={"cron": MORNING.cron, "min_replicas": 1})
    assert minima(Scaling(schedule=(MORNING, same)), datetime(2026, 1, 5, 9, 0, tzinfo=PARIS)) == [1]
    assert minima(Scaling(schedule=(same, MORNING)), datetime(2026, 1, 5, 9, 0, tzinfo=PARIS)) == [2]


def test_a_turn_in_the_hour_that_comes_twice_happens_once() -> None:
    scaling = Scaling(
        schedule=(
            Turn(cron="30 2 * * *", time_zone="Europe/Paris", min_replicas=1, max_replicas=1),
            Turn(cron="0 0 * * *", time_zone="Europe/Paris", min_replicas=0, max_replicas=1),
        )
    )
    assert minima(scaling, datetime(2026, 10, 25, 2, 20, tzinfo=PARIS)) == [0]
    assert minima(scaling, datetime(2026, 10, 25, 2, 30, tzinfo=PARIS)) == [1]
    assert minima(scaling, datetime(2026, 10, 25, 2, 20, tzinfo=PARIS, fold=1)) == [1]


def test_a_turn_in_the_hour_that_is_skipped_happens_at_its_end() -> None:
    skipped = Turn(cron="30 2 * * *", time_zone="Europe/Paris", min_replicas=1, max_replicas=1)
    (in_effect,) = bounds(Scaling(schedule=(skipped,)), datetime(2026, 3, 29, 3, 10, tzinfo=PARIS), 0)
    assert in_effect.since == datetime(2026, 3, 29, 1, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("wrong", "field", "says"),
    [
        ({"cron": "61 * * * *"}, "cron", "no cron expression"),
        ({"cron": "0 0 30 2 *"}, "cron", "no cron expression"),
        ({"cron": "0 0 * 2 mon#6"}, "cron", "no cron expression"),
        ({"cron": "* * * * * *"}, "cron", "five fields"),
        ({"cron": ""}, "cron", "five fields"),
        ({"time_zone": "Europe/Atlantis"}, "time_zone", "no time zone"),
        ({"time_zone": "../etc/passwd"}, "time_zone", "no time zone"),
        ({"time_zone": ""}, "time_zone", "no time zone"),
        ({"min_replicas": 9}, "min_replicas", "more than max_replicas"),
    ],
)
def test_a_schedule_that_cannot_be_is_refused_with_its_field(wrong: dict[str, object], field: str, says: str) -> None:
    (mistake,) = mistakes((EVENING, MORNING.model_copy(update=wrong)))
    assert (mistake.number, mistake.field) == (1, field)
    assert says in mistake.reason


@pytest.mark.parametrize("cron", ["0 8 * * mon-fri", "0  8 * * MON-FRI"])
def test_two_turns_of_the_same_cron_and_time_zone_are_refused_at_the_second(cron: str) -> None:
    (mistake,) = mistakes((MORNING, EVENING, MORNING.model_copy(update={"cron": cron, "min_replicas": 1})))
    assert (mistake.number, mistake.field) == (2, "cron")
    assert mistake.reason == f"{cron!r} in Europe/Paris is that of entry 0 already. Remove one."
    assert list(mistakes((MORNING, MORNING.model_copy(update={"time_zone": "Asia/Tokyo"})))) == []


def test_a_schedule_that_can_be_is_not_refused() -> None:
    leap_days = Turn(cron="0 0 29 2 *", min_replicas=0, max_replicas=1)
    assert list(mistakes((MORNING, EVENING, leap_days))) == []
