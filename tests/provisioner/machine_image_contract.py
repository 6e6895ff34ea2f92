"""What every provider with `machine_images` must do, and how one without them says so: the rest of the suite."""

from functools import partial
from uuid import UUID, uuid4

import pytest

from services.provisioner.provider import (
    SERVER_MISSING,
    MachineImage,
    MachineImageGone,
    Order,
    Power,
    Provider,
    ProviderError,
    Resource,
    Server,
    TryAgain,
)
from shared.reconciliation import Kind
from tests.provisioner.provider_contract import ProviderContract, eventually, needs

LABELS = {"type": "L4-1-24G", "vllm": "vllm/vllm-openai:v0.32.0", "model": "Qwen/Qwen2.5-7B", "commit": "a" * 40}


class MachineImageContract(ProviderContract):
    """The fixtures are those of ProviderContract."""

    @pytest.fixture
    async def image(self, provider: Provider, with_volume: Server, instance_id: UUID) -> MachineImage:
        needs(provider, "machine_images")
        store = partial(provider.store_image, with_volume.zone, with_volume.id, instance_id, "contract", LABELS)
        stored = await eventually(store, lambda image: image is not None and image.available)
        assert stored is not None
        return stored

    async def test_a_provider_without_machine_images_stores_none_and_boots_from_none(
        self, provider: Provider, server: Server, instance_type: str, instance_id: UUID, cloud_init: bytes
    ) -> None:
        if provider.capabilities.machine_images:
            pytest.skip(f"{provider.name} declares that it has machine images")
        with pytest.raises(ProviderError):
            await provider.store_image(server.zone, server.id, instance_id, "contract", LABELS)
        assert list(await provider.machine_images()) == []
        order = Order(uuid4(), "contract", server.zone, instance_type, cloud_init, machine_image="any")
        assert await provider.create_server(order) == MachineImageGone(server.zone, "any")
        assert await provider.delete_machine_image(server.zone, "any")
        assert await provider.delete_disk_snapshot(server.zone, "any")

    async def test_a_stored_image_says_whose_it_is_and_what_is_on_it(
        self, provider: Provider, with_volume: Server, image: MachineImage, instance_id: UUID
    ) -> None:
        assert (image.zone, image.builder_id, dict(image.labels)) == (with_volume.zone, instance_id, LABELS)
        assert image.created_at.tzinfo is not None
        (listed,) = await eventually(provider.machine_images, bool)
        assert listed == image

    async def test_an_image_is_as_large_as_the_disk_that_it_was_made_of(
        self, provider: Provider, with_volume: Server, instance_id: UUID
    ) -> None:
        needs(provider, "machine_images")
        zone, server_id = with_volume.zone, with_volume.id
        await eventually(partial(provider.grow_volume, zone, with_volume.volume_ids[0], 200, instance_id), bool)
        stored = await eventually(partial(provider.store_image, zone, server_id, instance_id, "contract", LABELS), bool)
        assert stored is not None
        assert stored.size_gb == 200

    async def test_storing_twice_makes_one_image_before_its_tags_show_and_after(
        self, provider: Provider, with_volume: Server, image: MachineImage, instance_id: UUID
    ) -> None:
        store = partial(provider.store_image, with_volume.zone, with_volume.id, instance_id, "contract", LABELS)
        assert await store() == image
        assert list(await eventually(provider.machine_images, bool)) == [image]
        assert await store() == image
        assert list(await provider.machine_images()) == [image]

    async def test_an_image_outlives_its_builder_which_still_names_it(
        self, provider: Provider, with_volume: Server, image: MachineImage, instance_id: UUID
    ) -> None:
        zone, server_id = with_volume.zone, with_volume.id
        await eventually(provider.machine_images, bool)
        await provider.delete_server(zone, server_id)
        for volume_id in with_volume.volume_ids:
            await eventually(partial(provider.delete_volume, zone, volume_id), bool)
        assert await provider.store_image(zone, server_id, instance_id, "contract", LABELS) == image
        assert list(await provider.machine_images()) == [image]

    async def test_a_server_that_is_not_off_is_not_stored(
        self, provider: Provider, with_volume: Server, instance_id: UUID
    ) -> None:
        needs(provider, "machine_images")
        zone, server_id = with_volume.zone, with_volume.id
        await provider.power_on(zone, server_id)
        await eventually(lambda: provider.get_server(zone, server_id), lambda s: bool(s and s.power is Power.ON))
        with pytest.raises(TryAgain):
            await provider.store_image(zone, server_id, instance_id, "contract", LABELS)
        assert list(await provider.tagged_resources()) == []

    async def test_a_server_that_is_not_there_is_not_stored(self, provider: Provider, instance_id: UUID) -> None:
        needs(provider, "machine_images")
        with pytest.raises(TryAgain) as missing:
            await provider.store_image(provider.zones[0], str(uuid4()), instance_id, "contract", LABELS)
        assert missing.value.code == SERVER_MISSING

    async def test_a_server_is_created_from_an_image_with_a_boot_volume_of_its_own(
        self, provider: Provider, with_volume: Server, image: MachineImage, instance_type: str, cloud_init: bytes
    ) -> None:
        order = Order(uuid4(), "contract", image.zone, instance_type, cloud_init, machine_image=image.id)
        made = await provider.create_server(order)
        assert isinstance(made, Server)
        assert (made.power, made.instance_id) == (Power.OFF, order.instance_id)
        seen = await eventually(lambda: provider.get_server(made.zone, made.id), lambda s: bool(s and s.volume_ids))
        assert seen is not None
        assert not set(seen.volume_ids) & set(with_volume.volume_ids)

    async def test_no_server_is_created_from_an_image_that_is_gone(
        self, provider: Provider, image: MachineImage, instance_type: str, cloud_init: bytes
    ) -> None:
        await eventually(partial(provider.delete_machine_image, image.zone, image.id), bool)
        before = {server.id for server in await eventually(provider.tagged_servers, bool)}
        order = Order(uuid4(), "contract", image.zone, instance_type, cloud_init, machine_image=image.id)
        assert await provider.create_server(order) == MachineImageGone(image.zone, image.id)
        order = Order(uuid4(), "contract", image.zone, instance_type, cloud_init)
        made = await provider.create_server(order)
        assert isinstance(made, Server)
        seen = await eventually(provider.tagged_servers, lambda found: made.id in {server.id for server in found})
        assert {server.id for server in seen} == before | {made.id}

    async def test_a_deleted_image_is_gone_with_its_snapshot_however_often_it_is_deleted(
        self, provider: Provider, image: MachineImage
    ) -> None:
        for _ in range(2):
            assert await eventually(partial(provider.delete_machine_image, image.zone, image.id), bool)
        assert list(await eventually(provider.machine_images, lambda found: not found)) == []
        assert list(await provider.tagged_resources()) == []
        assert await provider.delete_machine_image(image.zone, str(uuid4()))

    async def test_the_snapshot_of_an_image_is_no_resource_of_its_own(
        self, provider: Provider, image: MachineImage
    ) -> None:
        await eventually(provider.machine_images, bool)
        assert image.available
        assert [each for each in await provider.tagged_resources() if each.kind is Kind.DISK_SNAPSHOT] == []

    async def test_a_snapshot_that_became_no_image_is_found_by_its_tag_and_deleted(
        self, provider: Provider, with_volume: Server, instance_id: UUID
    ) -> None:
        needs(provider, "machine_images")
        zone, server_id = with_volume.zone, with_volume.id
        assert await provider.store_image(zone, server_id, instance_id, "contract", LABELS) is None
        (left,) = await eventually(provider.tagged_resources, bool)
        assert left == Resource(Kind.DISK_SNAPSHOT, left.id, zone, instance_id)
        await eventually(partial(provider.delete_disk_snapshot, zone, left.id), bool)
        assert await provider.delete_disk_snapshot(zone, left.id)
        assert list(await eventually(provider.tagged_resources, lambda found: not found)) == []
