"""Prices and types are there for a launch, and never in its way."""

import asyncio
from collections.abc import Callable

import pytest

from services.provisioner.offers import Offers
from services.provisioner.provider import TryAgain
from tests.provisioner.fake_provider import OFFERED, FakeProvider
from tests.provisioner.stage import quick

NAME = "scaleway"
FAILED = TryAgain("cloud_error", "the cloud failed")


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def provider() -> FakeProvider:
    return FakeProvider()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def offers(provider: FakeProvider, clock: Callable[[], float]) -> Offers:
    settings = quick(instance_types_seconds=300.0, backoff_seconds=2.0, longest_backoff_seconds=60.0)
    return Offers({NAME: provider}, settings, monotonic=clock)


async def test_many_launches_at_once_ask_the_provider_once(offers: Offers, provider: FakeProvider) -> None:
    assert await asyncio.gather(*(offers.of(NAME) for _ in range(50))) == [OFFERED] * 50
    assert provider.calls == ["instance_types"]


async def test_many_launches_at_once_wait_for_one_failure_only(offers: Offers, provider: FakeProvider) -> None:
    provider.fail("instance_types", FAILED)
    assert await asyncio.gather(*(offers.if_known(NAME) for _ in range(50))) == [()] * 50
    assert provider.calls == ["instance_types"]


async def test_what_is_offered_is_asked_anew_when_it_is_old(
    offers: Offers, provider: FakeProvider, clock: Clock
) -> None:
    await offers.of(NAME)
    provider.offered = OFFERED[:1]
    clock.now += 299
    assert await offers.of(NAME) == OFFERED
    clock.now += 1
    assert await offers.of(NAME) == OFFERED[:1]


async def test_after_a_failure_the_next_try_asks_again(offers: Offers, provider: FakeProvider, clock: Clock) -> None:
    provider.fail("instance_types", FAILED)
    for _ in range(2):
        with pytest.raises(TryAgain) as failed:
            await offers.of(NAME)
        assert failed.value.code == "cloud_error"
    clock.now += 1
    assert await offers.of(NAME) == OFFERED
    assert provider.calls.count("instance_types") == 2


async def test_a_price_that_was_known_is_known_while_the_provider_fails(
    offers: Offers, provider: FakeProvider, clock: Clock
) -> None:
    await offers.of(NAME)
    clock.now += 1000
    provider.fail("instance_types", FAILED)
    with pytest.raises(TryAgain):
        await offers.of(NAME)
    assert await offers.if_known(NAME) == OFFERED


async def test_a_list_that_nobody_can_read_is_no_list(offers: Offers, provider: FakeProvider) -> None:
    provider.fail("instance_types", KeyError("hourly_price"))
    assert await offers.if_known(NAME) == ()
    with pytest.raises(TryAgain) as failed:
        await offers.of(NAME)
    assert (failed.value.code, failed.value.message) == ("unexpected", "the list of types cannot be read: KeyError")
