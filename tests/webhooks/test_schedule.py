"""When a message is tried again, and for how long its webhook is left alone."""

from datetime import UTC, datetime, timedelta

import pytest

from services.webhooks.schedule import SPREAD, next_try_at, not_before
from services.webhooks.settings import WebhooksSettings

NOW = datetime(2026, 1, 1, tzinfo=UTC)
PAUSES: tuple[float, ...] = WebhooksSettings.model_fields["webhooks_retry_seconds"].default
DAY = timedelta(days=1)


def last_try(spread: float) -> timedelta:
    at, tries = NOW, 1
    while again := next_try_at(tries, at, PAUSES, retry_after_s=None, spread=spread):
        at, tries = again, tries + 1
    assert tries == len(PAUSES) + 1
    return at - NOW


def test_a_message_is_tried_for_about_a_day() -> None:
    assert DAY * 0.9 < last_try(0.0) < DAY < last_try(1.0) < DAY * 1.25


@pytest.mark.parametrize("spread", [0.0, 0.5, 1.0])
def test_each_pause_is_the_one_that_is_set_and_a_part_of_it_more_at_random(spread: float) -> None:
    again = next_try_at(1, NOW, (10.0,), retry_after_s=None, spread=spread)
    assert again == NOW + timedelta(seconds=10 * (1 + SPREAD * spread))


def test_nobody_is_asked_again_before_they_wish() -> None:
    assert next_try_at(1, NOW, (10.0,), retry_after_s=60.0, spread=0.0) == NOW + timedelta(seconds=60)
    assert next_try_at(1, NOW, (10.0,), retry_after_s=1.0, spread=0.0) == NOW + timedelta(seconds=10)
    assert not_before(1, NOW, first_s=1.0, longest_s=300.0, retry_after_s=60.0) == NOW + timedelta(seconds=60)


def test_a_wish_does_not_make_further_tries() -> None:
    assert next_try_at(2, NOW, (10.0,), retry_after_s=60.0, spread=0.0) is None


def test_a_webhook_is_left_alone_for_longer_with_each_failure_up_to_a_bound() -> None:
    left = [not_before(n, NOW, first_s=1.0, longest_s=5.0, retry_after_s=None) - NOW for n in range(1, 6)]
    assert [one.total_seconds() for one in left] == [1, 2, 4, 5, 5]
