"""What the adapter makes, finds and takes away, as the simulated account shows it."""

import asyncio
from functools import partial
from typing import Any
from uuid import UUID, uuid4

import pytest

from services.provisioner.provider import Order, OutOfStock, Power, Rejected, Resource, Server, TryAgain
from services.provisioner.providers.scaleway import network, servers, volumes
from services.provisioner.providers.scaleway.provider import ScalewayProvider
from services.provisioner.providers.scaleway.settings import ScalewaySettings
from services.provisioner.providers.scaleway.tags import Tags
from shared.offers.instance_types import InstanceType
from shared.reconciliation import Kind
from simulator.app import Simulator
from simulator.scenario import Call, Error, Failure
from tests.provisioner.provider_contract import eventually
from tests.provisioner.providers.conftest import CALL_TIMEOUT_S, QUICK, settings_of
from tests.simulator.clients import Control, Sdk, ask
from tests.simulator.fake_hosts import Hosts

CLOUD_INIT = b"#cloud-config\n{}\n"


async def made(provider: ScalewayProvider, instance_id: UUID, instance_type: str = "L4-1-24G") -> Server:
    server = await provider.create_server(Order(instance_id, "made", provider.zones[0], instance_type, CLOUD_INIT))
    assert isinstance(server, Server)
    return server


async def with_volume(provider: ScalewayProvider, server: Server) -> Server:
    seen = await eventually(lambda: provider.get_server(server.zone, server.id), lambda s: bool(s and s.volume_ids))
    assert seen is not None
    return seen


async def account(control: Control) -> Any:
    return await control("GET", "account")


async def test_a_server_bears_three_tags_and_the_key_to_let_in_and_boots_what_it_was_told(
    provider: ScalewayProvider, control: Control, hosts: Hosts, installation: UUID
) -> None:
    instance_id, key = uuid4(), "ssh-ed25519 AAAAC3Nz+/= coldstart of someone"
    order = Order(instance_id, "made", provider.zones[0], "L4-1-24G", CLOUD_INIT, client_key=key)
    server = await provider.create_server(order)
    assert isinstance(server, Server)
    await provider.power_on(server.zone, server.id)
    (shown,) = (await account(control))["servers"]
    assert shown["tags"] == [
        "coldstart", f"coldstart:installation:{installation}", f"coldstart:instance:{instance_id}",
        "AUTHORIZED_KEY=ssh-ed25519_AAAAC3Nz+/=",
    ]  # fmt: skip
    assert hosts.made[0].cloud_init == CLOUD_INIT


async def test_a_server_whose_creation_failed_half_way_is_found_and_completed(
    provider: ScalewayProvider, control: Control, hosts: Hosts
) -> None:
    instance_id = uuid4()
    failure = Failure(call=Call.SET_USER_DATA, error=Error.UNAVAILABLE)
    await control("PUT", "scenario", QUICK.model_copy(update={"failures": (failure,)}))
    with pytest.raises(TryAgain):
        await made(provider, instance_id)
    (server,) = await eventually(lambda: provider.find_servers(instance_id), bool)
    await provider.set_cloud_init(server.zone, server.id, CLOUD_INIT)
    server = await with_volume(provider, server)
    await provider.power_on(server.zone, server.id)
    assert hosts.made[0].cloud_init == CLOUD_INIT


@pytest.mark.parametrize(
    ("call", "error", "certain"),
    [
        (Call.LIST_LOCAL_IMAGES, Error.UNAVAILABLE, True),
        (Call.CREATE_SERVER, Error.TOO_MANY_REQUESTS, True),
        (Call.CREATE_SERVER, Error.INTERNAL_AFTER, False),
        (Call.SET_USER_DATA, Error.TOO_MANY_REQUESTS, False),
    ],
)
async def test_a_creation_had_no_effect_only_if_the_server_itself_was_refused(
    provider: ScalewayProvider, control: Control, call: Call, error: Error, *, certain: bool
) -> None:
    failure = Failure(call=call, error=error)
    await control("PUT", "scenario", QUICK.model_copy(update={"failures": (failure,)}))
    with pytest.raises(TryAgain) as failed:
        await made(provider, uuid4())
    assert failed.value.had_no_effect is certain
    assert bool((await account(control))["servers"]) is not certain


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (Error.QUOTAS_EXCEEDED, "quota_exceeded"),
        (Error.INVALID_ARGUMENTS, "unknown_instance_type"),
        (Error.PERMISSIONS_DENIED, "permission_denied"),
    ],
)
async def test_no_refusal_of_the_user_data_is_one_of_the_order_whose_server_exists(
    provider: ScalewayProvider, control: Control, error: Error, code: str
) -> None:
    failure = Failure(call=Call.SET_USER_DATA, error=error)
    await control("PUT", "scenario", QUICK.model_copy(update={"failures": (failure,)}))
    with pytest.raises(TryAgain) as failed:
        await made(provider, uuid4())
    assert (failed.value.code, failed.value.had_no_effect) == (code, False)
    assert len((await account(control))["servers"]) == 1


async def test_another_installation_sees_nothing_of_ours(
    provider: ScalewayProvider, scaleway_settings: ScalewaySettings
) -> None:
    await made(provider, instance_id := uuid4())
    await eventually(lambda: provider.find_servers(instance_id), bool)
    async with ScalewayProvider(scaleway_settings, uuid4(), CALL_TIMEOUT_S) as neighbour:
        assert await neighbour.find_servers(instance_id) == []
        assert await neighbour.tagged_servers() == []


async def test_tags_and_boot_volume_may_come_late(provider: ScalewayProvider, control: Control) -> None:
    await control("PUT", "scenario", QUICK.model_copy(update={"tag_visible": 0.8, "boot_volume": 0.8}))
    server = await made(provider, instance_id := uuid4())
    assert server.volume_ids == ()
    assert await provider.find_servers(instance_id) == []
    with pytest.raises(TryAgain) as early:
        await provider.power_on(server.zone, server.id)
    assert early.value.code == "transient_state"
    (found,) = await eventually(lambda: provider.find_servers(instance_id), bool)
    assert found.id == server.id
    assert len((await with_volume(provider, server)).volume_ids) == 1


async def test_a_volume_is_grown_and_tagged_and_never_shrunk(provider: ScalewayProvider, control: Control) -> None:
    server = await with_volume(provider, await made(provider, instance_id := uuid4()))
    (volume_id,) = server.volume_ids
    for size_gb in (200, 100):
        await eventually(partial(provider.grow_volume, server.zone, volume_id, size_gb, instance_id), bool)
        (volume,) = (await account(control))["volumes"]
        assert volume["size"] == 200 * 10**9
    assert f"coldstart:instance:{instance_id}" in volume["tags"]


async def test_a_volume_counts_as_grown_once_it_shows_its_new_size_and_is_told_to_grow_once(
    provider: ScalewayProvider, control: Control, simulator: Simulator
) -> None:
    server = await made(provider, instance_id := uuid4())
    (volume_id,) = server.volume_ids
    await control("PUT", "scenario", QUICK.model_copy(update={"volume_update": 60}))
    grow = partial(provider.grow_volume, server.zone, volume_id, 200, instance_id)
    assert [await grow(), await grow(), await grow()] == [False, False, False]
    volume = await ask(Sdk(simulator).block.get_volume, volume_id=volume_id, zone=server.zone)
    assert (volume.status, volume.size) == ("updating", 20 * 10**9)


async def test_a_server_that_somebody_has_protected_is_not_stopped_and_the_message_says_what_to_do(
    provider: ScalewayProvider, simulator: Simulator
) -> None:
    server = await made(provider, uuid4())
    await provider.power_on(server.zone, server.id)
    await eventually(lambda: provider.get_server(server.zone, server.id), lambda s: bool(s and s.power is Power.ON))
    update = partial(Sdk(simulator).instance._update_server, server_id=server.id, zone=server.zone)
    await ask(update, protected=True)
    with pytest.raises(TryAgain, match="remove the protection") as protected:
        await provider.power_off(server.zone, server.id)
    assert protected.value.code == "resource_protected"
    await ask(update, protected=False)
    await provider.power_off(server.zone, server.id)


async def test_what_a_refused_order_may_have_left_is_listed_and_nothing_else(
    provider: ScalewayProvider, control: Control, simulator: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Volumes of the image that are attached or tagged, and volumes of something else, are not left over."""
    zone = provider.zones[0]
    sold_out = Failure(call=Call.CREATE_SERVER, error=Error.OUT_OF_STOCK)
    leaving = {"failures": (sold_out,), "out_of_stock_leaves_volume": True}
    await control("PUT", "scenario", QUICK.model_copy(update=leaving))
    order = Order(instance_id := uuid4(), "sold out", zone, "L40S-1-48G", CLOUD_INIT)
    assert isinstance(await provider.create_server(order), OutOfStock)
    remaining = (await account(control))["remaining"]
    (left,), (scratch,) = remaining["block_volumes"], remaining["local_volumes"]
    attached = await made(provider, uuid4(), "L40S-1-48G")
    released = await made(provider, uuid4())
    await eventually(partial(provider.grow_volume, zone, released.volume_ids[0], 200, instance_id), bool)
    await provider.delete_server(zone, released.id)
    other = Order(uuid4(), "other", zone, "L4-1-24G", CLOUD_INIT)
    async with ScalewayProvider(
        settings_of(simulator, image="ubuntu_noble"), uuid4(), CALL_TIMEOUT_S
    ) as of_another_image:
        unrelated = await of_another_image.create_server(other)
        assert isinstance(unrelated, Server)
        await of_another_image.delete_server(zone, unrelated.id)
    assert attached.volume_ids
    assert attached.scratch_ids
    listed = await eventually(provider.leftover_volumes, bool)
    assert listed == [Resource(Kind.VOLUME, each, zone, None) for each in (left, scratch)]
    monkeypatch.setattr(provider._products, "_image", "ubuntu_noble")  # as when Scaleway publishes a newer image
    assert Resource(Kind.VOLUME, left, zone, None) in await provider.leftover_volumes()


def test_a_rule_is_sent_as_every_recorded_one_was() -> None:
    rule = network._opened(1, 8000, "0.0.0.0/0")
    assert (rule.protocol, rule.dest_port_from, rule.dest_port_to) == ("TCP", 8000, 8000)


async def test_without_the_image_nothing_is_left_over(simulator: Simulator) -> None:
    for image in ("ubuntu_none", str(uuid4())):
        async with ScalewayProvider(settings_of(simulator, image=image), uuid4(), CALL_TIMEOUT_S) as provider:
            assert list(await provider.leftover_volumes()) == []


async def test_a_local_volume_cannot_grow_outlives_its_server_and_is_deleted_by_its_own_api(
    scaleway_settings: ScalewaySettings, control: Control
) -> None:
    plain = scaleway_settings.model_copy(update={"image": "ubuntu_noble"})
    async with ScalewayProvider(plain, uuid4(), CALL_TIMEOUT_S) as local:
        server = await with_volume(local, await made(local, instance_id := uuid4(), "DEV1-L"))
        (volume_id,) = server.volume_ids
        await local.grow_volume(server.zone, volume_id, 10, instance_id)
        with pytest.raises(Rejected) as refused:
            await local.grow_volume(server.zone, volume_id, 200, instance_id)
        assert refused.value.code == "volume_cannot_grow"
        assert await local.delete_volume(server.zone, volume_id) is False
        await local.delete_server(server.zone, server.id)
        assert (await account(control))["remaining"]["local_volumes"] == [volume_id]
        assert await local.delete_volume(server.zone, volume_id) is True
        assert (await account(control))["remaining"]["local_volumes"] == []


async def test_power_is_left_alone_where_it_is_as_wanted(provider: ScalewayProvider, control: Control) -> None:
    await control("PUT", "scenario", QUICK.model_copy(update={"poweron": 0.8, "poweroff": 0.8}))
    server = await with_volume(provider, await made(provider, uuid4()))
    await asyncio.gather(*(provider.power_on(server.zone, server.id) for _ in range(3)))
    with pytest.raises(TryAgain) as starting:
        await provider.power_off(server.zone, server.id)
    assert starting.value.code == "transient_state"
    await eventually(lambda: provider.get_server(server.zone, server.id), lambda s: bool(s and s.power is Power.ON))
    await asyncio.gather(*(provider.power_off(server.zone, server.id) for _ in range(3)))
    (shown,) = (await account(control))["servers"]
    assert shown["power_ons"] == 1


async def test_only_the_given_ports_are_open(provider: ScalewayProvider, control: Control) -> None:
    server = await with_volume(provider, await made(provider, instance_id := uuid4()))
    group_id = await provider.make_security_group(server.zone, instance_id)
    for ports in ((22, 8000), (2222,)):
        await provider.open_ports(server, instance_id, group_id, ports, ("0.0.0.0/0",))
        (group,) = [each for each in (await account(control))["security_groups"] if not each["default"]]
        assert group["id"] == group_id
        assert [rule["port"] for rule in group["rules"]] == list(ports)
        assert {(rule["protocol"], rule["direction"], rule["action"]) for rule in group["rules"]} == {
            ("TCP", "inbound", "accept")
        }
    (shown,) = (await account(control))["servers"]
    assert shown["security_group"] == group_id


async def test_a_server_is_made_in_its_group_and_one_that_was_moved_is_put_back_with_its_ports(
    provider: ScalewayProvider, control: Control
) -> None:
    zone, instance_id = provider.zones[0], uuid4()
    group_id = await provider.make_security_group(zone, instance_id)
    server = await provider.create_server(Order(instance_id, "made", zone, "L4-1-24G", CLOUD_INIT, group_id))
    assert isinstance(server, Server)
    before = await account(control)
    assert [each["security_group"] for each in before["servers"]] == [group_id]
    assert [each["rules"] for each in before["security_groups"] if each["id"] == group_id] == [[]]
    await control("POST", f"servers/{server.id}/ungroup")
    moved = await provider.get_server(zone, server.id)
    assert moved is not None
    await provider.open_ports(moved, instance_id, group_id, (22,), ("0.0.0.0/0",))
    assert [each["security_group"] for each in (await account(control))["servers"]] == [group_id]


async def test_each_port_is_open_to_each_range_of_ipv4_and_ipv6(
    provider: ScalewayProvider, simulator: Simulator
) -> None:
    server = await with_volume(provider, await made(provider, instance_id := uuid4()))
    group_id = await provider.make_security_group(server.zone, instance_id)
    await provider.open_ports(server, instance_id, group_id, (22, 8000), ("10.0.0.0/8", "2001:db8::/32"))
    shown = await ask(
        Sdk(simulator).instance.list_security_group_rules, security_group_id=group_id, zone=server.zone, per_page=100
    )
    ours = [rule for rule in shown.rules if rule.editable]
    assert [(rule.dest_port_from, rule.dest_port_to, rule.ip_range) for rule in ours] == [
        (22, None, "10.0.0.0/8"),
        (22, None, "2001:db8::/32"),
        (8000, None, "10.0.0.0/8"),
        (8000, None, "2001:db8::/32"),
    ]


async def test_what_bears_our_tag_is_listed_of_every_kind_zone_and_page_and_nothing_else(
    provider: ScalewayProvider,
    simulator: Simulator,
    scaleway_settings: ScalewaySettings,
    installation: UUID,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(volumes, "PAGE_SIZE", 1)
    monkeypatch.setattr(network, "PAGE_SIZE", 1)
    neighbours, ours = uuid4(), [uuid4() for _ in range(4)]
    expected = set[Resource]()

    async def addressed(owner: UUID, zone: str, instance_id: UUID) -> Resource:
        tags = Tags(owner).of(instance_id)
        made_ip = (await ask(Sdk(simulator).instance.create_ip, zone=zone, tags=tags)).ip
        assert made_ip is not None
        return Resource(Kind.ADDRESS, made_ip.id, zone, instance_id)

    async with ScalewayProvider(scaleway_settings, neighbours, CALL_TIMEOUT_S) as neighbour:
        for number, instance_id in enumerate(ours):
            zone = provider.zones[number % 2]
            order = Order(instance_id, "tagged", zone, "L4-1-24G", CLOUD_INIT)
            for owner, cloud in ((installation, provider), (neighbours, neighbour)):
                created = await cloud.create_server(order)
                assert isinstance(created, Server)
                server = await with_volume(cloud, created)
                (volume_id,) = server.volume_ids
                await eventually(partial(cloud.grow_volume, zone, volume_id, 200, instance_id), bool)
                group_id = await cloud.make_security_group(server.zone, instance_id)
                address = await addressed(owner, zone, instance_id)
                if owner == installation:
                    expected |= {
                        Resource(Kind.VOLUME, volume_id, zone, instance_id),
                        Resource(Kind.SECURITY_GROUP, group_id, zone, instance_id),
                        address,
                    }
        assert len(expected) == 12
        listed = await eventually(provider.tagged_resources, lambda found: len(found) >= len(expected))
    assert len(listed) == len(expected)
    assert set(listed) == expected


async def test_groups_that_several_make_at_once_leave_nothing_behind(
    provider: ScalewayProvider, control: Control
) -> None:
    await control("PUT", "scenario", QUICK.model_copy(update={"tag_visible": 60}))
    server = await with_volume(provider, await made(provider, instance_id := uuid4()))
    groups = await asyncio.gather(*(provider.make_security_group(server.zone, instance_id) for _ in range(4)))
    assert len(set(groups)) == 4
    await provider.open_ports(server, instance_id, groups[0], (22, 8000), ("0.0.0.0/0",))
    (shown,) = (await account(control))["servers"]
    assert shown["security_group"] == groups[0]
    with pytest.raises(TryAgain) as in_use:
        await provider.release_network(instance_id, groups)
    assert in_use.value.code == "resource_in_use"
    await provider.delete_server(server.zone, server.id)
    assert await provider.release_network(instance_id, groups) == groups[:1]
    assert (await account(control))["remaining"]["security_groups"] == []


async def test_what_is_listed_was_there_whatever_is_answered_to_its_deletion(
    provider: ScalewayProvider, control: Control
) -> None:
    missing = Failure(call=Call.DELETE_SECURITY_GROUP, error=Error.NOT_FOUND, times=1)
    await control("PUT", "scenario", QUICK.model_copy(update={"failures": (missing,)}))
    group_id = await provider.make_security_group("fr-par-2", instance_id := uuid4())
    released = [list(await provider.release_network(instance_id, ())) for _ in range(3)]
    assert released == [[group_id], [group_id], []]
    assert (await account(control))["remaining"]["security_groups"] == []


async def test_a_whole_life_leaves_nothing_at_the_provider(provider: ScalewayProvider, control: Control) -> None:
    server = await with_volume(provider, await made(provider, instance_id := uuid4()))
    await provider.grow_volume(server.zone, server.volume_ids[0], 200, instance_id)

    async def powered() -> bool:
        try:
            await provider.power_on(server.zone, server.id)
        except TryAgain:
            return False
        return True

    await eventually(powered, bool)
    running = await eventually(
        lambda: provider.get_server(server.zone, server.id), lambda s: bool(s and s.power is Power.ON and s.ip_address)
    )
    assert running is not None
    group_id = await provider.make_security_group(running.zone, instance_id)
    await provider.open_ports(running, instance_id, group_id, (22, 8000), ("0.0.0.0/0",))
    await provider.power_off(server.zone, server.id)
    off = await eventually(
        lambda: provider.get_server(server.zone, server.id), lambda s: bool(s and s.power is Power.OFF)
    )
    assert off is not None
    assert (running.ip_address is not None, off.ip_address, off.address_id) == (True, None, None)
    (address,) = (await account(control))["ips"]
    assert (address["id"], address["dynamic"], address["deleted_at"] is not None) == (running.address_id, True, True)
    await provider.delete_server(server.zone, server.id)
    assert list(await provider.find_volumes(instance_id)) == [(server.zone, server.volume_ids[0])]
    assert await eventually(lambda: provider.delete_volume(server.zone, server.volume_ids[0]), bool)
    await provider.release_network(instance_id, (group_id,))
    remaining = (await account(control))["remaining"]
    assert {name: held for name, held in remaining.items() if held} == {}


async def test_an_address_that_somebody_else_gave_the_server_stays_his(
    provider: ScalewayProvider, control: Control, simulator: Simulator
) -> None:
    """Its id is recorded as the server's address, but it has no tag of ours."""
    server = await made(provider, instance_id := uuid4())
    theirs = (await ask(Sdk(simulator).instance.create_ip, zone=server.zone, server=server.id)).ip
    assert theirs is not None
    shown = await provider.get_server(server.zone, server.id)
    assert shown is not None
    assert shown.address_id == theirs.id
    await provider.delete_server(server.zone, server.id)
    assert list(await provider.release_network(instance_id, ())) == []
    assert (await account(control))["remaining"]["ips"] == [theirs.id]


async def test_without_its_boot_volume_nothing_that_somebody_attached_is_taken_for_it(
    provider: ScalewayProvider, control: Control, simulator: Simulator
) -> None:
    """Somebody has attached another volume and detached the boot volume."""
    server = await with_volume(provider, await made(provider, uuid4()))
    attached = await control("POST", f"servers/{server.id}/attach")
    told = (await ask(Sdk(simulator).instance.get_server, zone=server.zone, server_id=server.id)).server
    assert told is not None
    assert servers._shown(told).volume_ids == (*server.volume_ids, attached["id"])
    del told.volumes["0"]
    assert servers._shown(told).volume_ids == ()


async def test_a_list_of_many_pages_is_read_to_its_end(
    provider: ScalewayProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(servers, "PAGE_SIZE", 2)
    made_ids = {(await made(provider, uuid4())).id for _ in range(5)}
    found = await eventually(provider.tagged_servers, lambda seen: len(seen) == 5)
    assert {server.id for server in found} == made_ids


async def test_types_with_gpus_are_offered_where_there_are_some_first(
    provider: ScalewayProvider, control: Control
) -> None:
    sold_out = Failure(
        call=Call.CREATE_SERVER, error=Error.OUT_OF_STOCK, times=None, zone=provider.zones[0], instance_type="L4-1-24G"
    )
    await control("PUT", "scenario", QUICK.model_copy(update={"failures": (sold_out,)}))
    offered = {kind.name: kind for kind in await provider.instance_types()}
    assert offered["L4-1-24G"].zones == ("pl-waw-2", "fr-par-2")
    assert offered["L40S-2-48G"].zones == ("fr-par-2", "pl-waw-2")
    assert offered["RENDER-S"].zones == ("fr-par-2", "fr-par-1")
    assert (offered["L40S-2-48G"].gpus, offered["L40S-2-48G"].gpu) == (2, "L40S")
    assert "DEV1-L" not in offered


async def test_a_type_says_what_it_has_and_costs_and_where_it_is_to_be_had(
    provider: ScalewayProvider, control: Control
) -> None:
    here, elsewhere = "fr-par-2", "pl-waw-2"
    sold_out = Failure(
        call=Call.CREATE_SERVER, error=Error.OUT_OF_STOCK, times=None, zone=here, instance_type="L4-2-24G"
    )
    await control("PUT", "scenario", QUICK.model_copy(update={"failures": (sold_out,)}))
    (offered,) = [kind for kind in await provider.instance_types() if kind.name == "L4-2-24G"]
    assert offered == InstanceType(
        name="L4-2-24G",
        zones=(elsewhere, here),
        gpus=2,
        gpu="L4",
        gpu_memory_gb=24,
        vcpus=16,
        memory_gb=96,
        hourly_price=1.575,
        currency="EUR",
        availability={here: "shortage", elsewhere: "available"},
    )


async def test_a_server_has_all_the_scratch_storage_that_its_type_can_have(
    provider: ScalewayProvider, simulator: Simulator
) -> None:
    sizes = {}
    for kind in ("L40S-1-48G", "H100-1-80G", "L4-1-24G"):
        server = await with_volume(provider, await made(provider, uuid4(), kind))
        assert not set(server.scratch_ids) & set(server.volume_ids)
        found = [
            await ask(Sdk(simulator).instance.get_volume, zone=server.zone, volume_id=i) for i in server.scratch_ids
        ]
        sizes[kind] = [(str(one.volume.volume_type), one.volume.size) for one in found if one.volume]
    assert sizes == {
        "L40S-1-48G": [("scratch", 1600 * 10**9)],
        "H100-1-80G": [("scratch", 3000 * 10**9)],
        "L4-1-24G": [],
    }


async def test_a_type_that_the_list_of_availability_leaves_out_is_short(
    provider: ScalewayProvider, control: Control
) -> None:
    await control("PUT", "scenario", QUICK.model_copy(update={"unlisted": ("L4-1-24G",), "scarce": ("L4-2-24G",)}))
    offered = {kind.name: kind.availability for kind in await provider.instance_types()}
    assert offered["L4-1-24G"] == {"fr-par-2": "shortage", "pl-waw-2": "shortage"}
    assert offered["L4-2-24G"] == {"fr-par-2": "scarce", "pl-waw-2": "scarce"}


async def test_every_type_has_the_memory_of_its_name_and_its_scratch_storage(provider: ScalewayProvider) -> None:
    offered = {kind.name: kind for kind in await provider.instance_types()}
    memory = {name: f"{kind.gpu_memory_gb:g}G" for name, kind in offered.items()}
    assert all(name.endswith(f"-{told}") for name, told in memory.items() if name != "RENDER-S")
    assert len(memory) == 17
    scratch = {name: offered[name].scratch_gb for name in ("L4-1-24G", "L40S-1-48G", "H100-1-80G", "H100-SXM-2-80G")}
    assert list(scratch.values()) == [None, 1600, 3000, 3200]
