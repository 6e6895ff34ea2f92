"""A key's limits: buckets that refill each minute, by the tests' clock."""

from typing import Any
from uuid import uuid4

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from services.api.access.api_keys import ApiKey, Role
from services.api.router.key_limits import KeyLimiter
from services.api.router.refusal import Refusal
from tests.lifecycle.facts import AT


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def a_key(**limits: Any) -> ApiKey:
    return ApiKey(id=uuid4(), name="a key", role=Role.USER, prefix="csk_abc", created_at=AT, **limits)


def request(limits: KeyLimiter, key: ApiKey) -> None:
    with limits.admitted(key):
        pass


def refusal(limits: KeyLimiter, key: ApiKey) -> Refusal:
    with pytest.raises(Refusal) as refused, limits.admitted(key):
        pass
    assert (refused.value.status, refused.value.code) == (429, "rate_limit_exceeded")
    return refused.value


@example(1, [8.237794175225428, 0.0, 0.0])  # the clock's last digits
@given(st.integers(1, 200), st.lists(st.floats(0, 90), max_size=60))
def test_no_minute_has_more_requests_than_allowed_twice_over_and_no_client_is_starved(
    per_minute: int, pauses: list[float]
) -> None:
    """A full bucket, and what is refilled meanwhile."""
    clock = Clock()
    limits, key = KeyLimiter(clock), a_key(requests_per_minute=per_minute)
    admitted: list[float] = []
    for pause in pauses:
        clock.now += pause
        try:
            request(limits, key)
        except Refusal as refused:
            clock.now += int(refused.headers["Retry-After"])
            request(limits, key)
        admitted.append(clock.now)
    for at in admitted:
        assert sum(at - 60 < other <= at for other in admitted) <= 2 * per_minute


def test_the_bucket_is_full_at_first_and_fills_evenly() -> None:
    clock = Clock()
    limits, key = KeyLimiter(clock), a_key(requests_per_minute=6)
    for _ in range(6):
        request(limits, key)
    assert refusal(limits, key).headers["Retry-After"] == "10"
    clock.now = 9.9
    assert refusal(limits, key).headers["Retry-After"] == "1"
    clock.now = 10.0
    request(limits, key)


def test_tokens_are_counted_when_they_are_known_and_what_was_too_much_is_missing_later() -> None:
    clock = Clock()
    limits, key = KeyLimiter(clock), a_key(tokens_per_minute=100)
    request(limits, key)
    limits.used(key, 150)
    refused = refusal(limits, key)
    assert refused.headers["Retry-After"] == "31", "50 too many, and one to begin with, at 100 a minute"
    clock.now = 31
    request(limits, key)


def test_no_more_is_missing_later_than_a_minute_s_worth() -> None:
    clock = Clock()
    limits, key = KeyLimiter(clock), a_key(tokens_per_minute=60)
    request(limits, key)
    limits.used(key, 1_000_000)
    limits.used(key, 1_000_000)
    assert refusal(limits, key).headers["Retry-After"] == "61"
    clock.now = 61
    request(limits, key)


def test_requests_at_once_are_counted_until_they_end_however_they_end() -> None:
    limits, key = KeyLimiter(), a_key(max_concurrent=1)
    with limits.admitted(key):
        refusal(limits, key)
    with pytest.raises(KeyError), limits.admitted(key):
        raise KeyError
    request(limits, key)


def test_a_refused_request_takes_nothing() -> None:
    clock = Clock()
    limits, key = KeyLimiter(clock), a_key(requests_per_minute=2, max_concurrent=1)
    with limits.admitted(key):
        refusal(limits, key)
    request(limits, key)
    assert refusal(limits, key).headers["Retry-After"] == "30"


def test_keys_do_not_share_what_they_may_use() -> None:
    limits = KeyLimiter(Clock())
    first, second = a_key(requests_per_minute=1), a_key(requests_per_minute=1)
    request(limits, first)
    request(limits, second)
    refusal(limits, first)


def test_a_changed_limit_holds_at_once() -> None:
    limits, key = KeyLimiter(Clock()), a_key(requests_per_minute=1)
    request(limits, key)
    refusal(limits, key)
    request(limits, key.model_copy(update={"requests_per_minute": 5}))
    request(limits, key.model_copy(update={"requests_per_minute": None}))


def test_what_an_answer_used_is_missing_although_the_limit_has_changed_meanwhile() -> None:
    limits, key = KeyLimiter(Clock()), a_key(tokens_per_minute=100)
    changed = key.model_copy(update={"tokens_per_minute": 50})
    request(limits, key)
    request(limits, changed)
    limits.used(key, 60)
    assert refusal(limits, changed).headers["Retry-After"] == "14", "10 too many, and one to begin with, at 50 a minute"


def test_openai_s_headers_tell_what_is_left() -> None:
    clock = Clock()
    limits, key = KeyLimiter(clock), a_key(requests_per_minute=60, tokens_per_minute=600)
    request(limits, key)
    limits.used(key, 100)
    with limits.admitted(key) as told:
        pass
    assert dict(told) == {
        b"x-ratelimit-limit-requests": b"60",
        b"x-ratelimit-remaining-requests": b"58",
        b"x-ratelimit-reset-requests": b"2.000s",
        b"x-ratelimit-limit-tokens": b"600",
        b"x-ratelimit-remaining-tokens": b"500",
        b"x-ratelimit-reset-tokens": b"10.000s",
    }
    with limits.admitted(a_key()) as told:
        assert not told
