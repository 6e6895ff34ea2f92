"""A launch can use prices and types, and never fails or waits for lack of them."""

import asyncio
from collections.abc import Callable, Collection
from datetime import UTC, datetime
from typing import cast
from uuid import uuid4

import pytest
from structlog.testing import capture_logs

from services.provisioner.offers import Offers
from services.provisioner.provider import Rejected, TryAgain
from shared.offers.instance_types import InstanceType, InstanceTypes
from shared.offers.provider_status import ProviderCheck, ProviderStatus, ProviderStatuses
from tests.provisioner.fake_provider import OFFERED, FakeProvider
from tests.provisioner.stage import quick

NAME = "scaleway"
IMAGES = {"L4-1-24G": "by/type:1"}
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


class Published:
    """As much of a bucket as a test reads."""

    async def keep_only(self, providers: Collection[str]) -> None:
        assert set(providers) == {NAME}


class PublishedOffers(Published):
    def __init__(self) -> None:
        self.offered: list[tuple[InstanceType, ...]] = []

    async def publish(self, provider: str, types: tuple[InstanceType, ...]) -> None:
        assert provider == NAME
        self.offered.append(types)


class PublishedStatuses(Published):
    """`before` is what an earlier process has published; `enough` is set by the second status."""

    def __init__(self, before: ProviderStatus | None = None) -> None:
        self.before = before
        self.statuses: list[ProviderStatus] = []
        self.enough = asyncio.Event()

    async def of(self, provider: str) -> ProviderStatus | None:
        assert provider == NAME
        return self.before

    async def publish(self, status: ProviderStatus) -> None:
        self.statuses.append(status)
        if len(self.statuses) > 1:
            self.enough.set()


async def published(
    provider: FakeProvider, before: ProviderStatus | None = None, **settings: float
) -> tuple[list[ProviderStatus], PublishedOffers]:
    """The first two statuses, and what was offered meanwhile."""
    offered, statuses = PublishedOffers(), PublishedStatuses(before)
    offers = Offers(
        {NAME: provider},
        quick(**{"instance_types_seconds": 0.01, "backoff_seconds": 0.01, "vllm_images": IMAGES, **settings}),
    )
    publishing = asyncio.create_task(
        offers.keep_publishing(NAME, cast("InstanceTypes", offered), cast("ProviderStatuses", statuses))
    )
    async with asyncio.timeout(120):
        await statuses.enough.wait()
    publishing.cancel()
    return statuses.statuses[:2], offered


async def test_a_cloud_that_refuses_the_key_is_told_without_the_key_until_it_takes_it(provider: FakeProvider) -> None:
    key = str(uuid4())
    provider.fail("check", Rejected("invalid_credentials", f"{key} is not accepted\x1b[2J"))
    (refused, accepted), offered = await published(provider)
    assert refused.reason is not None
    assert "is not accepted" in refused.reason
    assert key not in str(refused)
    assert refused.reason.isprintable()
    assert refused.next_try_at is not None
    assert (accepted.reason, accepted.next_try_at) == (None, None)
    assert accepted.since >= refused.since
    told_types = tuple(kind.model_copy(update={"image": IMAGES.get(kind.name, quick().vllm_image)}) for kind in OFFERED)
    assert offered.offered[:2] == [told_types, told_types]


async def test_a_cloud_that_offers_nothing_or_cannot_be_asked_what_is_unusable(provider: FakeProvider) -> None:
    provider.offered = ()
    (status, _), _ = await published(provider)
    assert status.reason == "nothing with a GPU is offered"
    provider.fail("instance_types", FAILED, FAILED, FAILED)
    (status, _), _ = await published(provider)
    assert status.reason == "the cloud failed"


async def test_a_provider_counts_as_usable_only_once_its_offers_are_published(provider: FakeProvider) -> None:
    provider.fail("instance_types", FAILED)
    (failed, usable), offered = await published(provider, instance_types_seconds=300.0, backoff_seconds=1e-9)
    assert (failed.reason, usable.reason) == ("the cloud failed", None)
    assert len(offered.offered) == 1


async def test_what_only_limits_is_told_and_no_reason_not_to_launch(provider: FakeProvider) -> None:
    provider.checks = (ProviderCheck.limited("quota", "it is 0 for H100"), ProviderCheck.unknown("project", "no right"))
    with capture_logs() as logs:
        (first, second), _ = await published(provider)
    assert (first.reason, first.next_try_at) == (None, None)
    assert [check.subject for check in first.checks] == ["quota", "project", "instance types"]
    assert first.checked_at is not None
    assert second.checked_at is not None
    assert second.checked_at >= first.checked_at
    assert [entry["subject"] for entry in logs if entry["event"] == "provider check not passed"] == ["quota"], "once"


async def test_since_when_it_is_unusable_outlives_the_provisioner(provider: FakeProvider) -> None:
    since = datetime(2026, 11, 29, tzinfo=UTC)
    before = ProviderStatus(provider=NAME, reason="the key has expired", since=since)
    provider.checks = (ProviderCheck.failed("credentials", "the key is not accepted"),)
    (status, _), _ = await published(provider, before)
    assert (status.since, status.reason) == (since, "the key is not accepted")
