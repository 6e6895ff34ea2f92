"""When silence is taken for an outage of the observer: pure, with times in seconds."""

import pytest

from services.health.outage import Outage
from tests.health.examples import a_pace

PACE = a_pace(outage_workers=3, outage_share=0.5, outage_seconds=60.0, outage_grace_seconds=30.0)


def watching(count: int) -> Outage:
    outage = Outage(PACE)
    for worker in range(count):
        outage.answered(worker, 0.0)
    return outage


def after(outage: Outage, silent: int, *, apart_s: float = 1.0) -> Outage:
    """Workers 0, 1, 2 … fall silent one after the other, and each is silent at every look since."""
    for number in range(silent):
        for worker in range(number + 1):
            outage.silent(worker, 100.0 + number * apart_s)
    return outage


@pytest.mark.parametrize(
    ("watched", "silent", "size"),
    [(1, 1, 0), (2, 2, 0), (3, 2, 0), (3, 3, 3), (6, 2, 0), (6, 3, 3), (10, 4, 0), (10, 5, 5), (1000, 499, 0)],
)
def test_it_takes_three_workers_and_half_of_all(watched: int, silent: int, size: int) -> None:
    outage = after(watching(watched), silent, apart_s=0.1)
    assert outage.size == size
    assert outage.lasts(100.0) is (size > 0)


def test_workers_that_fall_silent_one_by_one_are_no_outage() -> None:
    assert not after(watching(6), 6, apart_s=61.0).lasts(1000.0)


def test_those_long_silent_do_not_count_when_another_follows() -> None:
    outage = watching(4)
    outage.silent(0, 0.0)
    outage.silent(1, 1.0)
    outage.silent(2, 100.0)
    assert not outage.lasts(100.0)


def test_it_lasts_until_half_answer_again_and_a_grace_longer() -> None:
    outage = after(watching(6), 4)
    outage.answered(0, 1000.0)
    assert outage.lasts(1000.0)
    outage.answered(1, 1001.0)
    assert outage.size == 0
    assert outage.lasts(1030.9)
    assert not outage.lasts(1031.0)


def test_workers_that_are_no_longer_watched_do_not_keep_it() -> None:
    outage = after(watching(4), 4)
    for worker in (0, 1):
        outage.forget(worker, 200.0)
    assert not outage.lasts(231.0)


def test_a_second_one_begins_like_the_first() -> None:
    outage = after(watching(3), 3)
    for worker in range(3):
        outage.answered(worker, 1000.0)
    for worker in range(3):
        outage.silent(worker, 2000.0)
    assert outage.size == 3
