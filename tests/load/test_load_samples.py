"""The load over time: what was not heard is a gap, and no load is a zero."""

import tracemalloc
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

from shared.deployments.load import Sample
from shared.load_samples import Samples

AT = datetime(2026, 11, 30, 12, 0, tzinfo=UTC)
ONE, OTHER = uuid4(), uuid4()


def told(
    samples: Samples, begin_s: int, end_s: int, loads: Mapping[UUID, float] | None, arriving: Mapping[UUID, float] = {}
) -> None:
    """The same once a second, from and until so many seconds behind AT."""
    for second in range(begin_s, end_s):
        samples.add(AT + timedelta(seconds=second), loads, arriving)


def a_sample(second: float, mean: float, peak: float | None = None, arriving: float = 0.0) -> Sample:
    begun = AT + timedelta(seconds=second)
    return Sample(at=begun, mean=mean, peak=mean if peak is None else peak, arriving=arriving)


def test_a_sample_has_the_mean_and_the_peak_of_ten_seconds() -> None:
    samples = Samples(every_s=1)
    told(samples, 0, 5, {ONE: 2})
    told(samples, 5, 11, {ONE: 6})
    assert samples.recent(ONE, 60) == (a_sample(0, 4, 6),)


def test_a_sample_has_how_many_arrived_in_a_second_also_where_none_was_seen_in_flight() -> None:
    samples = Samples(every_s=1)
    told(samples, 0, 5, {ONE: 2}, {ONE: 3, OTHER: 1})
    told(samples, 5, 11, {ONE: 2}, {ONE: 1})
    assert samples.recent(ONE, 60) == (a_sample(0, 2, arriving=2),)
    assert samples.recent(OTHER, 60) == (a_sample(0, 0, arriving=0.5),)


def test_who_has_no_load_while_others_are_heard_has_samples_of_zero() -> None:
    samples = Samples(every_s=1)
    told(samples, 0, 11, {ONE: 2})
    assert samples.recent(OTHER, 60) == (a_sample(0, 0),)


def test_ten_seconds_in_which_nobody_was_heard_for_a_moment_are_a_gap() -> None:
    samples = Samples(every_s=1)
    told(samples, 0, 10, {ONE: 2})
    told(samples, 10, 14, {ONE: 2})
    told(samples, 14, 15, None)
    told(samples, 15, 31, {ONE: 2})
    assert [sample.at for sample in samples.recent(ONE, 60)] == [AT, AT + timedelta(seconds=20)]


def test_ten_seconds_of_which_the_process_slept_the_most_are_a_gap() -> None:
    samples = Samples(every_s=1)
    told(samples, 6, 11, {ONE: 2})
    assert samples.recent(ONE, 60) == ()


def test_only_as_much_is_given_as_is_looked_back_at() -> None:
    samples = Samples(every_s=1)
    told(samples, 0, 601, {ONE: 2})
    assert len(samples.recent(ONE, 600)) == 60
    assert samples.recent(ONE, 30)[0].at == AT + timedelta(seconds=550)


def test_every_process_has_the_same_periods() -> None:
    late = Samples(every_s=1)
    told(late, 3, 11, {ONE: 2})
    assert late.recent(ONE, 60)[0].at == AT


def test_after_an_hour_only_those_are_known_that_look_back_further() -> None:
    near, far, samples = UUID(int=1), UUID(int=2), Samples(10.0)
    samples.recent(far, 7_200)
    for number in range(401):
        samples.add(AT + timedelta(seconds=10 * number), {near: 1.0, far: 1.0}, {})
    assert len(samples.recent(far, 7_200)) == 400
    assert len(samples.recent(near, 7_200)) == 360, "of what was forgotten nobody says that there was no load"


def test_who_begins_to_look_further_back_keeps_the_hour_that_is_known_of_it() -> None:
    samples = Samples(10.0)
    for number in range(500):
        samples.add(AT + timedelta(seconds=10 * number), {ONE: float(number)}, {ONE: 0.5})
    assert len(samples.recent(ONE, 7_200)) == 360
    for number in range(500, 601):
        samples.add(AT + timedelta(seconds=10 * number), {}, {})
    known = samples.recent(ONE, 7_200)
    assert known == (
        *(a_sample(10 * number, float(number), arriving=0.5) for number in range(139, 500)),
        *(a_sample(10 * number, 0.0) for number in range(500, 600)),
    )


def test_what_is_longest_ago_makes_room_whatever_the_load_was_in_between() -> None:
    samples = Samples(10.0, most_s=100.0)
    loads = [1.0, 2.0, *[0.0] * 7, 3.0, *[0.0] * 4, 4.0, 0.0]
    for number, load in enumerate(loads):
        samples.add(AT + timedelta(seconds=10 * number), {ONE: load} if load else {}, {})
    assert [sample.mean for sample in samples.recent(ONE, 3_600)] == loads[5:15]


def test_an_hour_of_a_hundred_busy_deployments_takes_less_than_a_megabyte() -> None:
    busy = dict.fromkeys((uuid4() for _ in range(100)), 1.5)
    samples = Samples(10.0, most_s=3_600.0)
    tracemalloc.start()
    for number in range(361):
        samples.add(AT + timedelta(seconds=10 * number), busy, busy)
    kept, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert len(samples.recent(next(iter(busy)), 3_600)) == 360
    assert kept < 1_000_000
    for number in range(361, 722):
        samples.add(AT + timedelta(seconds=10 * number), {}, {})
    assert {sample.mean for sample in samples.recent(next(iter(busy)), 3_600)} == {0.0}
