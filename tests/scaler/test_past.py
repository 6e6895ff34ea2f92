"""The past of a deployment's load, by slots."""

from datetime import UTC, datetime, timedelta
from uuid import uuid4

from services.scaler.past import DAYS, Past
from shared.deployments.load import Sample

AT = datetime(2026, 11, 30, 12, 0, tzinfo=UTC)
MINUTE, DAY = timedelta(minutes=1), timedelta(days=1)
ONE = uuid4()


def a_slot(at: datetime, mean: float) -> Sample:
    return Sample(at=at, mean=mean, peak=2 * mean)


def test_what_was_put_is_found_at_its_time_whatever_the_order() -> None:
    past = Past()
    slots = [a_slot(AT - 7 * DAY, 1), a_slot(AT - DAY, 2), a_slot(AT, 3)]
    past.put(ONE, [slots[2], slots[0], slots[1]])
    assert [*past.between(ONE, AT - 7 * DAY, AT)] == slots


def test_only_slots_that_overlap_with_the_time_are_given() -> None:
    past = Past()
    past.put(ONE, [a_slot(AT + 5 * minutes * MINUTE, 1 + minutes) for minutes in range(6)])
    found = past.between(ONE, AT + 7 * MINUTE, AT + 15 * MINUTE)
    assert [sample.mean for sample in found] == [2, 3, 4]


def test_the_oldest_give_way_and_leave_nothing_at_later_times() -> None:
    past = Past()
    past.put(ONE, [a_slot(AT, 1), a_slot(AT + DAYS * DAY, 2)])
    assert [sample.mean for sample in past.between(ONE, AT - DAY, AT + DAYS * DAY)] == [2]
    past.put(ONE, [a_slot(AT, 9)])
    assert [sample.mean for sample in past.between(ONE, AT - DAY, AT + DAYS * DAY)] == [2]


def test_what_has_given_way_is_not_found_at_the_time_that_has_its_place() -> None:
    past = Past()
    past.put(ONE, [a_slot(AT, 1), a_slot(AT + (DAYS + 1) * DAY, 2)])
    assert [sample.mean for sample in past.between(ONE, AT, AT + (DAYS + 1) * DAY)] == [2]


def test_of_what_nothing_is_known_there_is_nothing() -> None:
    past = Past()
    assert [*past.between(ONE, AT - DAY, AT)] == []
    past.put(ONE, [a_slot(AT, 1)])
    past.forget(ONE)
    assert [*past.between(ONE, AT - DAY, AT)] == []
