"""What every provider must do, the fake one included: a suite to inherit from, with a `provider` fixture."""

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial
from typing import TypeVar
from uuid import UUID, uuid4

import pytest

from services.provisioner.provider import (
    SERVER_MISSING,
    Order,
    OutOfStock,
    Power,
    Provider,
    Resource,
    Server,
    TryAgain,
)
from shared.offers.provider_status import CheckOutcome
from shared.reconciliation import Kind

PATIENCE_S = 120.0
Attach = Callable[[Server], Awaitable[str]]
"""Somebody attaches a volume of his own to a server; its id."""
_T = TypeVar("_T")


async def eventually(look: Callable[[], Awaitable[_T]], good: Callable[[_T], bool]) -> _T:
    """The first look that is good. Raises TimeoutError."""
    async with asyncio.timeout(PATIENCE_S):
        while not good(seen := await look()):  # noqa: ASYNC110  a cloud tells nobody when it is done
            await asyncio.sleep(0.05)
        return seen


def needs(provider: Provider, capability: str) -> None:
    """Skip the test where the provider declares that it has no such thing."""
    if not getattr(provider.capabilities, capability):
        pytest.skip(f"{provider.name} declares that it has no {capability}")


class ProviderContract:
    """A subclass gives the fixtures `provider` and `instance_type`.

    It may give `sold_out_type`, `scratch_type` and `attach`.
    """

    @pytest.fixture
    def sold_out_type(self) -> str:
        pytest.skip("nothing is sold out here")

    @pytest.fixture
    def scratch_type(self) -> str:
        pytest.skip("no type has scratch storage here")

    @pytest.fixture
    def attach(self) -> Attach:
        pytest.skip("nobody attaches a volume here")

    @pytest.fixture
    def cloud_init(self) -> bytes:
        return b"#cloud-config\n{}\n"

    @pytest.fixture
    def instance_id(self) -> UUID:
        return uuid4()

    @pytest.fixture
    async def server(self, provider: Provider, instance_type: str, instance_id: UUID, cloud_init: bytes) -> Server:
        order = Order(instance_id, "contract", provider.zones[0], instance_type, cloud_init)
        made = await provider.create_server(order)
        assert isinstance(made, Server)
        return made

    @pytest.fixture
    async def with_volume(self, provider: Provider, server: Server) -> Server:
        if not provider.capabilities.volumes:
            return server
        seen = await eventually(lambda: provider.get_server(server.zone, server.id), lambda s: bool(s and s.volume_ids))
        assert seen is not None
        return seen

    async def test_it_passes_its_own_checks_and_makes_nothing(self, provider: Provider) -> None:
        assert [check for check in await provider.check() if check.outcome is not CheckOutcome.PASSED] == []
        assert [*await provider.tagged_servers(), *await provider.tagged_resources()] == []

    async def test_it_offers_instance_types_in_its_zones(self, provider: Provider, instance_type: str) -> None:
        offered = {kind.name: kind for kind in await provider.instance_types()}
        assert provider.zones[0] in offered[instance_type].zones

    async def test_a_new_server_says_whose_it_is_and_is_off_where_it_can_be(
        self, server: Server, provider: Provider, instance_type: str, instance_id: UUID
    ) -> None:
        assert server.power is (Power.OFF if provider.capabilities.power else Power.ON)
        assert (server.instance_id, server.zone, server.instance_type) == (
            instance_id,
            provider.zones[0],
            instance_type,
        )

    async def test_scratch_storage_is_there_from_the_creation_on_and_is_deleted_after_its_server(
        self, provider: Provider, scratch_type: str, instance_id: UUID, cloud_init: bytes
    ) -> None:
        zone = provider.zones[0]
        made = await provider.create_server(Order(instance_id, "contract", zone, scratch_type, cloud_init))
        assert isinstance(made, Server)
        (scratch,) = made.scratch_ids
        seen = await eventually(lambda: provider.get_server(zone, made.id), lambda s: bool(s and s.volume_ids))
        assert seen is not None
        assert (seen.scratch_ids, scratch in seen.volume_ids) == ((scratch,), False)
        assert not await provider.delete_volume(zone, scratch)
        await provider.delete_server(zone, made.id)
        for volume_id in (*seen.volume_ids, scratch):
            await eventually(partial(provider.delete_volume, zone, volume_id), bool)

    async def test_a_new_server_is_found_by_its_tag_in_the_end(
        self, provider: Provider, server: Server, instance_id: UUID
    ) -> None:
        (found,) = await eventually(lambda: provider.find_servers(instance_id), bool)
        assert (found.id, found.zone, found.instance_id) == (server.id, server.zone, instance_id)
        assert server.id in {each.id for each in await provider.tagged_servers()}

    async def test_a_server_of_another_instance_is_not_found(self, provider: Provider, server: Server) -> None:
        assert server.id
        assert await provider.find_servers(uuid4()) == []

    async def test_an_unknown_server_is_none(self, provider: Provider) -> None:
        assert await provider.get_server(provider.zones[0], str(uuid4())) is None

    async def test_what_is_sold_out_is_an_outcome(
        self, provider: Provider, sold_out_type: str, instance_id: UUID, cloud_init: bytes
    ) -> None:
        order = Order(instance_id, "contract", provider.zones[0], sold_out_type, cloud_init)
        assert await provider.create_server(order) == OutOfStock(provider.zones[0], sold_out_type)

    async def test_a_grown_volume_is_found_by_its_tag(
        self, provider: Provider, with_volume: Server, instance_id: UUID
    ) -> None:
        needs(provider, "volumes")
        for _ in range(2):
            grow = partial(provider.grow_volume, with_volume.zone, with_volume.volume_ids[0], 200, instance_id)
            assert await eventually(grow, bool)
        found = await eventually(lambda: provider.find_volumes(instance_id), bool)
        assert list(found) == [(with_volume.zone, with_volume.volume_ids[0])]

    async def test_power_comes_and_goes_and_may_be_asked_for_twice(
        self, provider: Provider, with_volume: Server
    ) -> None:
        needs(provider, "power")
        zone, server_id = with_volume.zone, with_volume.id
        for _ in range(2):
            await provider.power_on(zone, server_id)
        running = await eventually(
            lambda: provider.get_server(zone, server_id), lambda s: bool(s and s.power is Power.ON and s.ip_address)
        )
        assert running
        await provider.power_on(zone, server_id)
        for _ in range(2):
            await provider.power_off(zone, server_id)
        stopped = await eventually(
            lambda: provider.get_server(zone, server_id), lambda s: bool(s and s.power is Power.OFF)
        )
        assert stopped

    async def test_a_security_group_is_found_again_in_the_end(
        self, provider: Provider, with_volume: Server, instance_id: UUID
    ) -> None:
        needs(provider, "ports")
        made: list[str] = []

        async def found_again() -> bool:
            made.append(await provider.make_security_group(with_volume.zone, instance_id))
            return len(set(made)) < len(made)

        assert await eventually(found_again, bool)

    async def test_a_server_is_made_in_the_group_of_its_order_which_stays_as_long_as_it(
        self, provider: Provider, instance_type: str, instance_id: UUID, cloud_init: bytes
    ) -> None:
        needs(provider, "ports")
        zone = provider.zones[0]
        group_id = await provider.make_security_group(zone, instance_id)
        order = Order(instance_id, "contract", zone, instance_type, cloud_init, group_id)
        made = await provider.create_server(order)
        assert isinstance(made, Server)
        assert made.security_group_id == group_id
        await provider.open_ports(made, instance_id, group_id, (22,), ("0.0.0.0/0",))
        with pytest.raises(TryAgain):
            await provider.release_network(instance_id, (group_id,))
        await provider.delete_server(zone, made.id)
        assert list(await provider.release_network(instance_id, (group_id,))) == [group_id]

    async def test_no_server_is_made_in_a_group_that_is_gone(
        self, provider: Provider, instance_type: str, instance_id: UUID, cloud_init: bytes
    ) -> None:
        needs(provider, "ports")
        zone = provider.zones[0]
        group_id = await provider.make_security_group(zone, instance_id)
        await provider.release_network(instance_id, (group_id,))
        with pytest.raises(TryAgain) as missing:
            await provider.create_server(Order(instance_id, "contract", zone, instance_type, cloud_init, group_id))
        assert (missing.value.code, missing.value.had_no_effect) == (SERVER_MISSING, True)

    async def test_ports_may_be_opened_twice(self, provider: Provider, with_volume: Server, instance_id: UUID) -> None:
        needs(provider, "ports")
        group_id = await provider.make_security_group(with_volume.zone, instance_id)
        for _ in range(2):
            await provider.open_ports(with_volume, instance_id, group_id, (22, 8000), ("0.0.0.0/0",))

    async def test_groups_go_by_their_ids_before_their_tags_are_found(
        self, provider: Provider, with_volume: Server, instance_id: UUID
    ) -> None:
        needs(provider, "ports")
        group_ids = {await provider.make_security_group(with_volume.zone, instance_id) for _ in range(2)}
        assert set(await provider.release_network(instance_id, tuple(group_ids))) == group_ids
        assert list(await provider.release_network(instance_id, tuple(group_ids))) == []

    async def test_a_group_that_is_gone_is_told_as_missing_when_ports_are_to_be_opened(
        self, provider: Provider, with_volume: Server, instance_id: UUID
    ) -> None:
        needs(provider, "ports")
        group_id = await provider.make_security_group(with_volume.zone, instance_id)
        await provider.release_network(instance_id, (group_id,))
        with pytest.raises(TryAgain) as missing:
            await provider.open_ports(with_volume, instance_id, group_id, (22,), ("0.0.0.0/0",))
        assert missing.value.code == SERVER_MISSING

    async def test_what_bears_a_tag_is_listed_with_its_kind_zone_and_instance_until_it_is_gone(
        self, provider: Provider, with_volume: Server, instance_id: UUID
    ) -> None:
        needs(provider, "volumes")
        needs(provider, "ports")
        zone, (volume_id, *_) = with_volume.zone, with_volume.volume_ids
        await eventually(partial(provider.grow_volume, zone, volume_id, 200, instance_id), bool)
        group_id = await provider.make_security_group(with_volume.zone, instance_id)
        expected = {
            Resource(Kind.VOLUME, volume_id, zone, instance_id),
            Resource(Kind.SECURITY_GROUP, group_id, zone, instance_id),
        }
        assert await eventually(provider.tagged_resources, lambda found: set(found) == expected)
        await provider.release_network(instance_id, (group_id,))
        await provider.delete_server(zone, with_volume.id)
        assert await eventually(lambda: provider.delete_volume(zone, volume_id), bool)
        assert await eventually(provider.tagged_resources, lambda found: not found) == []

    async def test_the_volume_of_a_server_is_not_left_over(self, provider: Provider, with_volume: Server) -> None:
        assert with_volume.id
        assert list(await provider.leftover_volumes()) == []

    async def test_a_server_that_runs_is_not_deleted(self, provider: Provider, with_volume: Server) -> None:
        needs(provider, "power")
        await provider.power_on(with_volume.zone, with_volume.id)
        await eventually(
            lambda: provider.get_server(with_volume.zone, with_volume.id),
            lambda s: bool(s and s.power is Power.ON),
        )
        with pytest.raises(TryAgain):
            await provider.delete_server(with_volume.zone, with_volume.id)

    async def test_a_deleted_server_is_gone_for_every_look(
        self, provider: Provider, with_volume: Server, instance_id: UUID
    ) -> None:
        for _ in range(2):
            await provider.delete_server(with_volume.zone, with_volume.id)
        assert await provider.get_server(with_volume.zone, with_volume.id) is None
        assert await eventually(lambda: provider.find_servers(instance_id), lambda found: not found) == []
        assert await eventually(provider.tagged_servers, lambda found: not found) == []

    async def test_a_volume_outlives_its_server_until_it_is_deleted(
        self, provider: Provider, with_volume: Server, instance_id: UUID
    ) -> None:
        needs(provider, "volumes")
        zone, (volume_id, *_) = with_volume.zone, with_volume.volume_ids
        await eventually(partial(provider.grow_volume, zone, volume_id, 200, instance_id), bool)
        assert await provider.delete_volume(zone, volume_id) is False
        for _ in range(2):
            await provider.delete_server(zone, with_volume.id)
        await provider.power_off(zone, with_volume.id)
        assert await provider.get_server(zone, with_volume.id) is None
        assert await eventually(lambda: provider.delete_volume(zone, volume_id), bool)
        assert await provider.delete_volume(zone, volume_id) is True
        assert await eventually(lambda: provider.find_volumes(instance_id), lambda found: not found) == []

    async def test_a_volume_that_somebody_attached_comes_after_the_boot_volume_and_outlives_the_server_untagged(
        self, provider: Provider, with_volume: Server, instance_id: UUID, attach: Attach
    ) -> None:
        zone, (boot_volume_id,) = with_volume.zone, with_volume.volume_ids
        theirs = await attach(with_volume)
        seen = await provider.get_server(zone, with_volume.id)
        assert seen is not None
        assert seen.volume_ids == (boot_volume_id, theirs)
        await eventually(partial(provider.grow_volume, zone, boot_volume_id, 200, instance_id), bool)
        await provider.delete_server(zone, with_volume.id)
        assert await eventually(lambda: provider.delete_volume(zone, boot_volume_id), bool)
        assert await eventually(lambda: provider.find_volumes(instance_id), lambda found: not found) == []
        assert await provider.grow_volume(zone, theirs, 1, instance_id), "it is there no longer"

    async def test_a_network_is_released_twice(
        self, provider: Provider, with_volume: Server, instance_id: UUID
    ) -> None:
        needs(provider, "ports")
        group_id = await provider.make_security_group(with_volume.zone, instance_id)
        await provider.open_ports(with_volume, instance_id, group_id, (22, 8000), ("0.0.0.0/0",))
        with pytest.raises(TryAgain):
            await provider.release_network(instance_id, (group_id,))
        await provider.delete_server(with_volume.zone, with_volume.id)

        async def released() -> bool:
            try:
                await provider.release_network(instance_id, (group_id,))
            except TryAgain:
                return False
            return True

        assert await eventually(released, bool)
        assert await released()

    async def test_what_is_not_there_is_asked_for_again(self, provider: Provider, instance_id: UUID) -> None:
        with pytest.raises(TryAgain):
            await provider.power_on(provider.zones[0], str(uuid4()))
        with pytest.raises(TryAgain):
            await provider.grow_volume(provider.zones[0], str(uuid4()), 200, instance_id)
        with pytest.raises(TryAgain):
            await provider.set_cloud_init(provider.zones[0], str(uuid4()), b"#cloud-config\n{}\n")
