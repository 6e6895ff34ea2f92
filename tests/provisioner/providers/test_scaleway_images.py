"""Machine images at Scaleway: whatever fails, repeats or is late, one image is made, and nothing is left unseen."""

import asyncio
from collections.abc import AsyncIterator, Awaitable
from datetime import timedelta
from functools import partial
from typing import Protocol
from uuid import UUID, uuid4

import pytest
from scaleway.instance.v1 import Arch

from services.provisioner.provider import (
    MachineImage,
    MachineImageGone,
    Order,
    ProviderError,
    Rejected,
    Server,
    TryAgain,
)
from services.provisioner.providers.scaleway import images
from services.provisioner.providers.scaleway.prices import SnapshotPrices
from services.provisioner.providers.scaleway.provider import ScalewayProvider
from services.provisioner.providers.scaleway.settings import ScalewaySettings
from services.provisioner.providers.scaleway.tags import Tags
from shared.reconciliation import Kind
from simulator.app import Simulator
from simulator.scenario import Call, Error, Failure, Scenario
from tests.provisioner.machine_image_contract import LABELS
from tests.provisioner.provider_contract import eventually
from tests.provisioner.providers.conftest import CALL_TIMEOUT_S, QUICK
from tests.simulator.clients import Control, Sdk, ask

PRICE_OF_20_GB = 20 * 0.00004 * 730
LONG = 60
SENT = (Error.TIMEOUT_AFTER, Error.RESET_AFTER, Error.INTERNAL_AFTER)
NOT_SENT = (Error.RESET_BEFORE, Error.UNAVAILABLE, Error.TOO_MANY_REQUESTS)
STORING = (Call.GET_SERVER, Call.LIST_SNAPSHOTS, Call.LIST_IMAGES, Call.CREATE_SNAPSHOT, Call.CREATE_IMAGE)
DELETING = (Call.GET_IMAGE, Call.GET_SNAPSHOT, Call.UPDATE_SNAPSHOT, Call.DELETE_IMAGE, Call.DELETE_SNAPSHOT)


class Builder:
    """A server that is off and can be stored."""

    def __init__(self, provider: ScalewayProvider, server: Server, instance_id: UUID) -> None:
        self.server, self.instance_id = server, instance_id
        self.store = partial(provider.store_image, server.zone, server.id, instance_id, "prepared", LABELS)

    async def for_ever(self) -> None:
        """Until that raises."""
        while True:
            await self.store()

    async def stored(self) -> MachineImage:
        """However often storing has to be asked for."""

        async def asked() -> MachineImage | None:
            try:
                return await self.store()
            except TryAgain:
                return None

        image = await eventually(asked, bool)
        assert image is not None
        return image


class Build(Protocol):
    def __call__(self, by: ScalewayProvider = ..., zone: str | None = None) -> Awaitable[Builder]: ...


@pytest.fixture
def build(provider: ScalewayProvider) -> Build:
    async def built(by: ScalewayProvider = provider, zone: str | None = None) -> Builder:
        instance_id = uuid4()
        made = await by.create_server(Order(instance_id, "builder", zone or by.zones[0], "L4-1-24G", b""))
        assert isinstance(made, Server)
        return Builder(by, made, instance_id)

    return built


@pytest.fixture
async def builder(build: Build) -> Builder:
    return await build()


@pytest.fixture
async def neighbour(scaleway_settings: ScalewaySettings) -> AsyncIterator[ScalewayProvider]:
    """Another installation's, in the same project."""
    async with ScalewayProvider(scaleway_settings, uuid4(), CALL_TIMEOUT_S) as running:
        yield running


def failing(*failures: Failure, **changes: object) -> Scenario:
    return QUICK.model_copy(update={"failures": failures, **changes})


async def remaining(control: Control) -> tuple[list[str], list[str]]:
    left = (await control("GET", "account"))["remaining"]
    return left["snapshots"], left["images"]


@pytest.mark.parametrize("error", [*SENT, *NOT_SENT])
@pytest.mark.parametrize("call", STORING)
async def test_one_image_is_made_whatever_call_fails_in_whatever_way(
    builder: Builder, provider: ScalewayProvider, control: Control, call: Call, error: Error
) -> None:
    await control("PUT", "scenario", failing(Failure(call=call, error=error)))
    with pytest.raises(TryAgain):
        await builder.for_ever()
    image = await builder.stored()
    snapshots, made = await remaining(control)
    assert (len(snapshots), made) == (1, [image.id])
    assert await provider.machine_images() == [image]


async def test_one_image_is_made_though_no_list_shows_tags_yet(
    builder: Builder, provider: ScalewayProvider, control: Control
) -> None:
    await control("PUT", "scenario", failing(tag_visible=LONG))
    image = await builder.stored()
    assert await builder.store() == image
    snapshots, made = await remaining(control)
    assert (len(snapshots), made, await provider.machine_images()) == (1, [image.id], [])


@pytest.mark.parametrize("error", [*SENT, *NOT_SENT])
@pytest.mark.parametrize("call", DELETING)
async def test_all_of_an_image_goes_whatever_call_fails_in_whatever_way(
    builder: Builder, provider: ScalewayProvider, control: Control, call: Call, error: Error
) -> None:
    image = await builder.stored()
    await control("PUT", "scenario", failing(Failure(call=call, error=error)))
    with pytest.raises(TryAgain):
        await provider.delete_machine_image(image.zone, image.id)
    assert await eventually(partial(provider.delete_machine_image, image.zone, image.id), bool)
    assert await remaining(control) == ([], [])


async def test_what_a_deletion_left_is_found_by_whoever_asks_again(
    builder: Builder, installation: UUID, scaleway_settings: ScalewaySettings, control: Control
) -> None:
    """Its first caller has ended, the image is gone, and no list shows the new tag yet."""
    image = await builder.stored()
    await control("PUT", "scenario", failing(detach=0.2, tag_visible=LONG))
    async with ScalewayProvider(scaleway_settings, installation, CALL_TIMEOUT_S) as first:
        assert not await first.delete_machine_image(image.zone, image.id)
    async with ScalewayProvider(scaleway_settings, installation, CALL_TIMEOUT_S) as second:
        assert not await second.delete_machine_image(image.zone, image.id)
        assert await eventually(partial(second.delete_machine_image, image.zone, image.id), bool)
    assert await remaining(control) == ([], [])


async def test_the_snapshot_of_a_deletion_that_nobody_repeats_is_listed_with_its_builder(
    builder: Builder, provider: ScalewayProvider, control: Control
) -> None:
    image = await builder.stored()
    await control("PUT", "scenario", failing(Failure(call=Call.DELETE_SNAPSHOT, error=Error.UNAVAILABLE)))
    with pytest.raises(TryAgain):
        await provider.delete_machine_image(image.zone, image.id)
    (left,) = await provider.tagged_resources()
    assert (left.kind, left.instance_id) == (Kind.DISK_SNAPSHOT, builder.instance_id)
    assert await provider.delete_disk_snapshot(left.zone, left.id)
    assert await remaining(control) == ([], [])


async def test_a_failed_snapshot_and_a_failed_image_are_deleted_and_made_again(
    builder: Builder, control: Control
) -> None:
    for broken in ({"snapshot_fails": True}, {"image_fails": True}):
        await control("PUT", "scenario", failing(**broken))
        with pytest.raises(TryAgain) as failed:
            await builder.for_ever()
        assert failed.value.code == "machine_image_failed"
        await control("PUT", "scenario", failing())
    image = await builder.stored()
    snapshots, made = await remaining(control)
    assert (len(snapshots), made, image.available) == (1, [image.id], True)


async def test_an_image_that_is_being_made_is_waited_for_and_not_available(
    builder: Builder, provider: ScalewayProvider, control: Control
) -> None:
    await control("PUT", "scenario", failing(image_create=LONG))
    for _ in range(3):
        assert await builder.store() is None
    (shown,) = await provider.machine_images()
    assert not shown.available
    assert len((await remaining(control))[1]) == 1


async def test_somebody_elses_snapshot_of_the_disk_is_left_alone(
    builder: Builder, provider: ScalewayProvider, simulator: Simulator, control: Control
) -> None:
    """Made before the machine was sealed, it may hold secrets."""
    seen = await provider.get_server(builder.server.zone, builder.server.id)
    assert seen is not None
    theirs = await ask(
        Sdk(simulator).block.create_snapshot, volume_id=seen.volume_ids[0], public=False, name="mine", zone=seen.zone
    )
    image = await builder.stored()
    (ours,) = (each for each in (await control("GET", "account"))["images"] if each["id"] == image.id)
    assert ours["snapshot_id"] != theirs.id
    assert await eventually(partial(provider.delete_machine_image, image.zone, image.id), bool)
    assert (await remaining(control))[0] == [theirs.id]


async def test_of_two_that_were_made_at_once_the_older_one_counts(
    builder: Builder, provider: ScalewayProvider, simulator: Simulator, installation: UUID
) -> None:
    image = await builder.stored()
    (snapshot_id,) = await _snapshot_ids(simulator, image.zone)
    await ask(
        Sdk(simulator).instance.create_image,
        zone=image.zone,
        root_volume=snapshot_id,
        arch=Arch.X86_64,
        name="late",
        tags=Tags(installation).of(builder.instance_id),
    )
    assert await builder.store() == image
    assert len(await provider.machine_images()) == 2


async def _snapshot_ids(simulator: Simulator, zone: str) -> list[str]:
    answer = await ask(Sdk(simulator).block.list_snapshots, include_deleted=False, zone=zone)
    return [each.id for each in answer.snapshots]


async def test_two_callers_at_once_make_one_image_and_what_is_left_of_the_other_is_listed(
    builder: Builder, provider: ScalewayProvider, control: Control
) -> None:
    await asyncio.gather(*(builder.store() for _ in range(5)))
    image = await builder.stored()
    snapshots, made = await remaining(control)
    assert made == [image.id]
    left = await provider.tagged_resources()
    assert {each.instance_id for each in left} <= {builder.instance_id}
    assert len(left) == len(snapshots) - 1
    for each in left:
        assert await provider.delete_disk_snapshot(each.zone, each.id)
    assert await builder.store() == image


async def test_an_image_that_another_caller_has_just_deleted_is_no_failure(
    builder: Builder, provider: ScalewayProvider, control: Control
) -> None:
    image = await builder.stored()
    await control("PUT", "scenario", failing(Failure(call=Call.DELETE_IMAGE, error=Error.NOT_FOUND)))
    assert not await provider.delete_machine_image(image.zone, image.id), "its snapshot is still in use"


async def test_images_are_listed_of_every_zone_and_page_and_no_neighbours(
    provider: ScalewayProvider,
    neighbour: ScalewayProvider,
    build: Build,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(images, "PAGE_SIZE", 1)
    expected = set[str]()
    for zone in (*provider.zones[:2], *provider.zones[:2]):
        for by in (provider, neighbour):
            stored = await (await build(by, zone)).stored()
            expected |= {stored.id} if by is provider else set()
    assert {image.id for image in await provider.machine_images()} == expected
    assert [each.kind for each in await provider.tagged_resources()] == []


async def test_a_neighbours_image_is_not_deleted(
    neighbour: ScalewayProvider, provider: ScalewayProvider, build: Build
) -> None:
    image = await (await build(neighbour)).stored()
    with pytest.raises(Rejected):
        await provider.delete_machine_image(image.zone, image.id)
    assert await neighbour.machine_images() == [image]


async def test_an_image_costs_what_the_catalogue_says_of_its_snapshot(
    builder: Builder, provider: ScalewayProvider
) -> None:
    image = await builder.stored()
    assert (image.monthly_price, image.currency) == (round(PRICE_OF_20_GB, 2), "EUR")
    assert await provider.machine_images() == [image]


async def test_the_catalogue_is_read_once_an_hour(scaleway_settings: ScalewaySettings, control: Control) -> None:
    clock = [0.0]
    async with ScalewayProvider(scaleway_settings, uuid4(), CALL_TIMEOUT_S) as provider:
        prices = SnapshotPrices(provider._sdk, lambda: clock[0])
        once = Failure(call=Call.LIST_PRODUCTS, error=Error.UNAVAILABLE, times=None)
        price = await provider._calls(prices.of, provider.zones[0])
        await control("PUT", "scenario", failing(once))
        clock[0] = timedelta(minutes=59).total_seconds()
        assert await provider._calls(prices.of, provider.zones[0]) == price
        clock[0] = timedelta(hours=1).total_seconds()
        with pytest.raises(ProviderError):
            await provider._calls(prices.of, provider.zones[0])


async def test_without_a_price_list_an_image_has_no_price(
    builder: Builder, provider: ScalewayProvider, control: Control
) -> None:
    await control("PUT", "scenario", failing(Failure(call=Call.LIST_PRODUCTS, error=Error.UNAVAILABLE, times=None)))
    image = await builder.stored()
    assert (image.monthly_price, image.currency) == (None, None)
    assert await provider.machine_images() == [image]


async def test_a_used_up_quota_of_snapshots_is_told(builder: Builder, control: Control) -> None:
    await control("PUT", "scenario", failing(snapshot_quota=0))
    with pytest.raises(Rejected) as refused:
        await builder.store()
    assert refused.value.code == "quota_exceeded"


async def test_an_image_that_does_not_boot_the_type_counts_as_gone(
    builder: Builder, provider: ScalewayProvider
) -> None:
    image = await builder.stored()
    order = Order(uuid4(), "local", image.zone, "DEV1-L", b"", machine_image=image.id)
    assert await provider.create_server(order) == MachineImageGone(image.zone, image.id)


async def test_an_image_of_another_zone_counts_as_gone(builder: Builder, provider: ScalewayProvider) -> None:
    image = await builder.stored()
    order = Order(uuid4(), "far", provider.zones[1], "L4-1-24G", b"", machine_image=image.id)
    assert await provider.create_server(order) == MachineImageGone(provider.zones[1], image.id)


async def test_a_missing_plain_image_is_still_refused(provider: ScalewayProvider, control: Control) -> None:
    gone = Failure(call=Call.CREATE_SERVER, error=Error.INVALID_ARGUMENTS, argument="image")
    await control("PUT", "scenario", failing(gone))
    with pytest.raises(Rejected) as refused:
        await provider.create_server(Order(uuid4(), "plain", provider.zones[0], "L4-1-24G", b""))
    assert refused.value.code == "image_not_found"


async def test_what_a_refused_order_of_an_image_left_is_shown(
    builder: Builder, provider: ScalewayProvider, control: Control
) -> None:
    image = await builder.stored()
    out = Failure(call=Call.CREATE_SERVER, error=Error.OUT_OF_STOCK)
    await control("PUT", "scenario", failing(out, out_of_stock_leaves_volume=True))
    await provider.create_server(Order(uuid4(), "left", image.zone, "L4-1-24G", b"", machine_image=image.id))
    (left,) = await provider.leftover_volumes()
    assert (left.kind, left.zone, left.instance_id) == (Kind.VOLUME, image.zone, None)
