"""Snapshots and images in the simulated cloud: states, late tags, refusals and failures, as recordings have them."""

from pathlib import Path
from typing import Any

import pytest
from scaleway.block.v1 import Snapshot, SnapshotStatus
from scaleway.instance.v1 import Arch, Image, Server
from scaleway_core.api import ScalewayException

from simulator.scenario import Call, Error, Failure
from tests.simulator.clients import ZONE, Control, Sdk, ask, eventually
from tests.simulator.conftest import QUICK
from tests.simulator.test_restart import cut_off, simulating

READY = frozenset({SnapshotStatus.AVAILABLE, SnapshotStatus.IN_USE})
LONG = 60


async def snapshot_of(sdk: Sdk, server: Server, *tags: str) -> Snapshot:
    """As the create call's answer shows it."""
    volume_id = server.volumes["0"].id
    return await ask(sdk.block.create_snapshot, volume_id=volume_id, public=False, name="prepared", tags=list(tags))


async def made(sdk: Sdk, snapshot: Snapshot) -> Snapshot:
    return await eventually(
        lambda: ask(sdk.block.get_snapshot, snapshot_id=snapshot.id), lambda seen: seen.status in READY
    )


async def image_of(sdk: Sdk, snapshot: Snapshot, *tags: str) -> Image:
    answer = await ask(
        sdk.instance.create_image, root_volume=snapshot.id, arch=Arch.X86_64, name="prepared", tags=list(tags)
    )
    assert answer.image is not None
    return answer.image


async def refused(call: Any, **arguments: Any) -> tuple[int | None, Any]:
    with pytest.raises(ScalewayException) as refusal:
        await ask(call, **arguments)
    return refusal.value.status_code, refusal.value.response.json()


async def test_a_snapshot_is_being_made_before_it_is_available_and_shows_its_volume(sdk: Sdk, control: Control) -> None:
    await control("PUT", "scenario", QUICK.model_copy(update={"snapshot_create": 0.05}))
    server = await sdk.with_volume()
    begun = await snapshot_of(sdk, server, "ours")
    assert (begun.status, begun.size, begun.tags) == (SnapshotStatus.CREATING, 20 * 10**9, ["ours"])
    assert begun.parent_volume is not None
    assert begun.parent_volume.id == server.volumes["0"].id
    assert (await made(sdk, begun)).status == SnapshotStatus.AVAILABLE


async def test_an_image_makes_its_snapshot_in_use_until_a_little_after_its_deletion(sdk: Sdk, control: Control) -> None:
    await control("PUT", "scenario", QUICK.model_copy(update={"snapshot_create": 0, "detach": 0.3}))
    snapshot = await made(sdk, await snapshot_of(sdk, await sdk.with_volume()))
    image = await image_of(sdk, snapshot)
    used = await ask(sdk.block.get_snapshot, snapshot_id=snapshot.id)
    assert (used.status, [each.product_resource_id for each in used.references]) == (SnapshotStatus.IN_USE, [image.id])
    assert (await refused(sdk.block.delete_snapshot, snapshot_id=snapshot.id))[0] == 412
    await ask(sdk.instance.delete_image, image_id=image.id)
    freed = await ask(sdk.block.get_snapshot, snapshot_id=snapshot.id)
    assert (freed.status, freed.references) == (SnapshotStatus.IN_USE, [])
    assert (await refused(sdk.block.delete_snapshot, snapshot_id=snapshot.id))[0] == 412
    await eventually(
        lambda: ask(sdk.block.get_snapshot, snapshot_id=snapshot.id),
        lambda seen: seen.status == SnapshotStatus.AVAILABLE,
    )
    await ask(sdk.block.delete_snapshot, snapshot_id=snapshot.id)
    assert (await refused(sdk.block.get_snapshot, snapshot_id=snapshot.id))[1]["resource"] == "snapshot"
    assert (await refused(sdk.instance.get_image, image_id=image.id))[1]["resource"] == "instance_image"


async def test_a_snapshot_that_two_images_need_stays_in_use_when_one_of_them_goes(sdk: Sdk, control: Control) -> None:
    await control("PUT", "scenario", QUICK.model_copy(update={"snapshot_create": 0}))
    snapshot = await made(sdk, await snapshot_of(sdk, await sdk.with_volume()))
    _, second = await image_of(sdk, snapshot), await image_of(sdk, snapshot)
    await ask(sdk.instance.delete_image, image_id=second.id)
    assert len((await ask(sdk.block.get_snapshot, snapshot_id=snapshot.id)).references) == 1


async def test_what_is_being_made_is_neither_deleted_nor_made_an_image_of(sdk: Sdk, control: Control) -> None:
    await control("PUT", "scenario", QUICK.model_copy(update={"snapshot_create": LONG}))
    snapshot = await snapshot_of(sdk, await sdk.with_volume())
    status, body = await refused(sdk.block.delete_snapshot, snapshot_id=snapshot.id)
    assert (status, body["type"], body["current_state"]) == (409, "transient_state", "creating")
    status, body = await refused(sdk.instance.create_image, root_volume=snapshot.id, arch=Arch.X86_64, name="early")
    assert (status, body["type"]) == (400, "invalid_request_error")
    assert "snapshot is not available" in body["message"]


async def test_a_volume_that_grows_is_not_stored(sdk: Sdk, control: Control) -> None:
    await control("PUT", "scenario", QUICK.model_copy(update={"volume_update": LONG}))
    volume_id = (await sdk.with_volume()).volumes["0"].id
    await ask(sdk.block.update_volume, volume_id=volume_id, size=200 * 10**9)
    status, body = await refused(sdk.block.create_snapshot, volume_id=volume_id, public=False)
    assert (status, body["type"]) == (409, "transient_state")


async def test_either_may_end_in_error(sdk: Sdk, control: Control) -> None:
    broken = QUICK.model_copy(update={"snapshot_create": 0, "snapshot_fails": True})
    await control("PUT", "scenario", broken)
    server = await sdk.with_volume()
    failed = await snapshot_of(sdk, server)
    await eventually(
        lambda: ask(sdk.block.get_snapshot, snapshot_id=failed.id), lambda seen: seen.status == SnapshotStatus.ERROR
    )
    assert (await refused(sdk.instance.create_image, root_volume=failed.id, arch=Arch.X86_64, name="x"))[0] == 400
    await ask(sdk.block.delete_snapshot, snapshot_id=failed.id)
    await control("PUT", "scenario", broken.model_copy(update={"snapshot_fails": False, "image_fails": True}))
    image = await image_of(sdk, await made(sdk, await snapshot_of(sdk, server)))
    assert image.state == "error"
    status, body = await refused(sdk.instance.create_server, commercial_type="L4-1-24G", name="x", image=image.id)
    assert (status, body["details"][0]["argument_name"]) == (400, "image")


async def test_lists_show_the_tags_of_either_later(sdk: Sdk, control: Control) -> None:
    await control("PUT", "scenario", QUICK.model_copy(update={"snapshot_create": 0, "tag_visible": LONG}))
    snapshot = await made(sdk, await snapshot_of(sdk, await sdk.with_volume(), "ours"))
    image = await image_of(sdk, snapshot, "ours")
    assert (snapshot.tags, image.tags) == (["ours"], ["ours"])
    listed = (await ask(sdk.block.list_snapshots, include_deleted=False)).snapshots
    assert [(each.id, each.tags) for each in listed] == [(snapshot.id, [])]
    assert (await ask(sdk.block.list_snapshots, include_deleted=False, tags=["ours"])).snapshots == []
    assert [(each.id, each.tags) for each in (await ask(sdk.instance.list_images)).images] == [(image.id, [])]
    assert (await ask(sdk.instance.list_images, tags="ours")).images == []
    await ask(sdk.block.update_snapshot, snapshot_id=snapshot.id, tags=["theirs"])
    assert (await ask(sdk.block.get_snapshot, snapshot_id=snapshot.id)).tags == ["theirs"]


async def test_snapshots_are_listed_by_their_volume(sdk: Sdk) -> None:
    first, second = await sdk.with_volume(), await sdk.with_volume()
    wanted, _ = await snapshot_of(sdk, first), await snapshot_of(sdk, second)
    listed = await ask(sdk.block.list_snapshots, include_deleted=False, volume_id=first.volumes["0"].id)
    assert [each.id for each in listed.snapshots] == [wanted.id]


async def test_a_quota_of_snapshots_is_used_up(sdk: Sdk, control: Control) -> None:
    await control("PUT", "scenario", QUICK.model_copy(update={"snapshot_quota": 1}))
    server = await sdk.with_volume()
    await snapshot_of(sdk, server)
    status, body = await refused(sdk.block.create_snapshot, volume_id=server.volumes["0"].id, public=False)
    assert (status, body["type"]) == (403, "quotas_exceeded")
    assert body["details"] == [{"resource": "cp_snapshots", "quota": 1, "current": 1}]


@pytest.mark.parametrize("call", [Call.CREATE_SNAPSHOT, Call.CREATE_IMAGE, Call.LIST_IMAGES, Call.DELETE_IMAGE])
async def test_each_call_can_fail_by_its_name(sdk: Sdk, control: Control, call: Call) -> None:
    snapshot = await made(sdk, await snapshot_of(sdk, await sdk.with_volume()))
    image = await image_of(sdk, snapshot)
    assert snapshot.parent_volume is not None
    await control("PUT", "scenario", QUICK.model_copy(update={"failures": (Failure(call=call, error=Error.INTERNAL),)}))
    calls: dict[Call, tuple[Any, dict[str, Any]]] = {
        Call.CREATE_SNAPSHOT: (
            sdk.block.create_snapshot,
            {"volume_id": snapshot.parent_volume.id, "public": False},
        ),
        Call.CREATE_IMAGE: (
            sdk.instance.create_image,
            {"root_volume": snapshot.id, "arch": Arch.X86_64, "name": "another"},
        ),
        Call.LIST_IMAGES: (sdk.instance.list_images, {}),
        Call.DELETE_IMAGE: (sdk.instance.delete_image, {"image_id": image.id}),
    }
    failing, arguments = calls[call]
    assert (await refused(failing, **arguments))[0] == 500
    await ask(failing, **arguments)


async def test_a_scenario_of_a_tag_is_that_of_its_snapshots_and_images(sdk: Sdk, control: Control) -> None:
    await control("PUT", "scenarios/slow", QUICK.model_copy(update={"snapshot_create": LONG}))
    await control("PUT", "scenario", QUICK.model_copy(update={"snapshot_create": 0}))
    server = await sdk.with_volume()
    slow, quick = await snapshot_of(sdk, server, "slow"), await snapshot_of(sdk, server)
    await made(sdk, quick)
    assert (await ask(sdk.block.get_snapshot, snapshot_id=slow.id)).status == SnapshotStatus.CREATING


async def test_a_server_of_an_own_image_has_a_boot_volume_of_its_size_and_snapshot(sdk: Sdk) -> None:
    builder = await sdk.with_volume()
    await ask(sdk.block.update_volume, volume_id=builder.volumes["0"].id, size=200 * 10**9)
    grown = await eventually(
        lambda: ask(sdk.block.get_volume, volume_id=builder.volumes["0"].id), lambda seen: seen.size == 200 * 10**9
    )
    snapshot = await made(sdk, await snapshot_of(sdk, builder))
    image = await image_of(sdk, snapshot)
    server = await sdk.with_volume(image=image.id)
    volume = await ask(sdk.block.get_volume, volume_id=server.volumes["0"].id)
    assert (volume.size, volume.parent_snapshot_id, volume.id == grown.id) == (200 * 10**9, snapshot.id, False)
    assert server.image is not None
    assert (server.image.id, server.image.public) == (image.id, False)


async def test_the_account_counts_what_snapshots_cost_as_long_as_they_are_there(sdk: Sdk, control: Control) -> None:
    snapshot = await made(sdk, await snapshot_of(sdk, await sdk.with_volume()))
    image = await image_of(sdk, snapshot)
    account = await control("GET", "account")
    assert account["snapshots_hourly_price"] == pytest.approx(20 * 0.00004)
    assert (account["remaining"]["snapshots"], account["remaining"]["images"]) == ([snapshot.id], [image.id])
    await ask(sdk.instance.delete_image, image_id=image.id)
    await eventually(
        lambda: ask(sdk.block.get_snapshot, snapshot_id=snapshot.id), lambda seen: seen.status == "available"
    )
    await ask(sdk.block.delete_snapshot, snapshot_id=snapshot.id)
    account = await control("GET", "account")
    assert account["snapshots_hourly_price"] == 0
    assert account["remaining"]["snapshots"] == account["remaining"]["images"] == []


async def test_the_next_simulator_goes_on_with_snapshots_and_images(tmp_path: Path) -> None:
    async with simulating(tmp_path, snapshot_create=0) as (sdk, _):
        builder = await sdk.with_volume()
        snapshot = await made(sdk, await snapshot_of(sdk, builder, "ours"))
        image = await image_of(sdk, snapshot, "ours")
        begun = await snapshot_of(sdk, builder)
        server = await sdk.with_volume(image=image.id)
    async with simulating(tmp_path) as (sdk, _):
        assert (await ask(sdk.instance.list_images, tags="ours")).images == [image]
        used = await ask(sdk.block.get_snapshot, snapshot_id=snapshot.id)
        assert [each.product_resource_id for each in used.references] == [image.id]
        assert (await ask(sdk.block.get_snapshot, snapshot_id=begun.id)).status == SnapshotStatus.AVAILABLE
        again = await sdk.get(server.id)
        assert again.image == server.image
        await sdk.with_volume(image=image.id)


async def test_what_was_being_made_when_a_simulator_was_killed_is_made_and_listed(tmp_path: Path) -> None:
    killed = tmp_path / "killed"
    async with simulating(tmp_path, snapshot_create=0, image_create=LONG, tag_visible=LONG) as (sdk, _):
        builder = await sdk.with_volume()
        snapshot = await made(sdk, await snapshot_of(sdk, builder, "ours"))
        image = await image_of(sdk, snapshot, "ours")
        assert image.state == "creating"
    async with simulating(tmp_path, snapshot_create=LONG) as (sdk, _):
        begun = await snapshot_of(sdk, builder, "ours")
        cut_off(tmp_path, killed)
    async with simulating(killed) as (sdk, _):
        listed = (await ask(sdk.block.list_snapshots, include_deleted=False, tags=["ours"])).snapshots
        assert {each.id: each.status for each in listed} == {snapshot.id: "in_use", begun.id: "available"}
        assert [each.state for each in (await ask(sdk.instance.list_images, tags="ours")).images] == ["available"]


async def test_the_catalogue_tells_what_a_gigabyte_of_a_snapshot_costs_for_an_hour(sdk: Sdk) -> None:
    (product,) = (await ask(sdk.catalog.list_public_catalog_products, zone=ZONE)).products
    assert product.price is not None
    assert product.price.retail_price is not None
    assert (product.price.retail_price.units, product.price.retail_price.nanos) == (0, 40_000)
