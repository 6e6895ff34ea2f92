"""A server's life as the official SDK sees it."""

import asyncio

import pytest
import requests
from scaleway.block.v1 import Volume
from scaleway.instance.v1 import SecurityGroupTemplate, Server
from scaleway_core.api import ScalewayException

from simulator.scenario import Scenario
from tests.simulator.clients import IMAGE, Control, Sdk, ask, eventually
from tests.simulator.conftest import QUICK
from tests.simulator.fake_hosts import Hosts

GIGABYTE = 10**9


async def block_volume_of(sdk: Sdk, server: Server) -> Volume:
    return await ask(sdk.block.get_volume, volume_id=server.volumes["0"].id)


async def listed(sdk: Sdk, *tags: str) -> list[str]:
    return [server.id for server in await ask(sdk.instance.list_servers_all, tags=list(tags))]


async def test_a_server_is_created_stopped_and_without_a_volume(sdk: Sdk, control: Control) -> None:
    await control("PUT", "scenario", Scenario(create=0, boot_volume=60))
    server = await sdk.create("coldstart", "instance=1")
    assert server.state == "stopped"
    assert server.volumes == {}
    assert server.public_ips == []
    assert server.tags == ["coldstart", "instance=1"]


async def test_the_answer_to_a_creation_shows_the_boot_volume_which_is_made_from_the_images_snapshot(sdk: Sdk) -> None:
    server = await sdk.create("coldstart")
    volume = await block_volume_of(sdk, server)
    assert (server.volumes["0"].volume_type, server.volumes["0"].boot) == ("sbs_volume", False)
    assert (volume.size, volume.tags, volume.status) == (20 * GIGABYTE, [], "in_use")
    assert volume.references[0].product_resource_id == server.id
    image = (await ask(sdk.instance.get_image, image_id=IMAGE)).image
    assert image is not None
    assert image.root_volume is not None
    assert (image.root_volume.volume_type, image.root_volume.id) == ("sbs_snapshot", volume.parent_snapshot_id)


async def test_a_boot_volume_may_come_late(sdk: Sdk, control: Control) -> None:
    await control("PUT", "scenario", QUICK.model_copy(update={"boot_volume": 0.1}))
    server = await sdk.create()
    assert server.volumes == {}
    await eventually(lambda: sdk.get(server.id), lambda seen: bool(seen.volumes))


async def test_lists_learn_tags_later_than_a_get(sdk: Sdk, control: Control) -> None:
    await control("PUT", "scenario", QUICK.model_copy(update={"tag_visible": 0.2}))
    server = await sdk.create("coldstart")
    assert (await sdk.get(server.id)).tags == ["coldstart"]
    assert await listed(sdk, "coldstart") == []
    assert await listed(sdk) == [server.id]
    await eventually(lambda: listed(sdk, "coldstart"), lambda found: found == [server.id])


async def test_a_list_finds_only_servers_with_every_tag(sdk: Sdk) -> None:
    first = await sdk.create("coldstart", "instance=1")
    await sdk.create("coldstart", "instance=2")
    await eventually(lambda: listed(sdk, "coldstart"), lambda found: len(found) == 2)
    assert await listed(sdk, "coldstart", "instance=1") == [first.id]


async def test_a_volume_grows_while_its_server_is_stopped(sdk: Sdk) -> None:
    server = await sdk.with_volume()
    volume_id = server.volumes["0"].id
    await ask(sdk.block.update_volume, volume_id=volume_id, size=200 * GIGABYTE, tags=["coldstart"])
    volume = await eventually(lambda: block_volume_of(sdk, server), lambda v: v.status == "in_use")
    assert (volume.size, volume.tags) == (200 * GIGABYTE, ["coldstart"])
    with pytest.raises(ScalewayException) as smaller:
        await ask(sdk.block.update_volume, volume_id=volume_id, size=100 * GIGABYTE)
    assert smaller.value.status_code == 400
    assert smaller.value.response.json()["details"][0]["argument_name"] == "size"


async def test_a_volume_that_grows_is_updating_with_its_old_size_and_its_server_does_not_start(
    sdk: Sdk, control: Control
) -> None:
    server = await sdk.with_volume()
    await control("PUT", "scenario", QUICK.model_copy(update={"volume_update": 60}))
    told = await ask(sdk.block.update_volume, volume_id=server.volumes["0"].id, size=200 * GIGABYTE)
    assert (told.status, told.size) == ("updating", 20 * GIGABYTE)
    with pytest.raises(ScalewayException) as updating:
        await sdk.act(server.id, "poweron")
    assert updating.value.status_code == 409
    assert updating.value.response.json()["type"] == "transient_state"


async def test_a_server_does_not_start_before_it_has_a_volume(sdk: Sdk, control: Control) -> None:
    await control("PUT", "scenario", Scenario(create=0, boot_volume=60))
    server = await sdk.create()
    with pytest.raises(ScalewayException) as early:
        await sdk.act(server.id, "poweron")
    assert early.value.status_code == 409


async def test_an_address_is_pending_right_after_the_power_on_and_attached_once_booted(
    sdk: Sdk, control: Control
) -> None:
    await control("PUT", "scenario", QUICK.model_copy(update={"poweron": 60}))
    slow = await sdk.with_volume()
    await sdk.act(slow.id, "poweron")
    starting = await sdk.get(slow.id)
    assert (starting.state, [ip.state for ip in starting.public_ips]) == ("starting", ["pending"])
    await control("PUT", "scenario", QUICK)
    server = await sdk.booted()
    booted = await eventually(lambda: sdk.get(server.id), lambda seen: seen.state_detail == "booted")
    assert [ip.state for ip in booted.public_ips] == ["attached"]


async def test_power_on_is_asynchronous_and_an_address_may_come_some_time_into_it(sdk: Sdk, control: Control) -> None:
    await control("PUT", "scenario", QUICK.model_copy(update={"poweron": 0.3, "address": 0.1}))
    server = await sdk.with_volume()
    assert (await sdk.act(server.id, "poweron")).status == "pending"
    starting = await sdk.get(server.id)
    assert (starting.state, starting.public_ip) == ("starting", None)
    addressed = await eventually(lambda: sdk.get(server.id), lambda s: s.public_ip is not None)
    assert addressed.state == "starting"
    running = await eventually(lambda: sdk.get(server.id), lambda s: s.state == "running")
    assert running.public_ip == running.public_ips[0]
    assert running.public_ips[0].dynamic


async def test_an_address_may_come_after_running(sdk: Sdk, control: Control) -> None:
    await control("PUT", "scenario", QUICK.model_copy(update={"address": 0.3}))
    server = await sdk.with_volume()
    await sdk.act(server.id, "poweron")
    running = await eventually(lambda: sdk.get(server.id), lambda s: s.state == "running")
    assert running.public_ips == []
    await eventually(lambda: sdk.get(server.id), lambda s: bool(s.public_ips))


async def test_the_host_gets_its_cloud_init_and_listens_on_the_public_address(sdk: Sdk, hosts: Hosts) -> None:
    server = await sdk.with_volume("coldstart")
    await ask(sdk.instance.set_server_user_data, server_id=server.id, key="cloud-init", content=b"#cloud-config\n")
    assert (await ask(sdk.instance.list_server_user_data, server_id=server.id)).user_data == ["cloud-init"]
    stored = await ask(sdk.instance.get_server_user_data, server_id=server.id, key="cloud-init")
    assert stored.content == b"#cloud-config\n"
    await sdk.act(server.id, "poweron")
    booted = await eventually(lambda: sdk.get(server.id), lambda s: s.state_detail == "booted")
    (host,) = hosts.made
    assert (host.server_id, host.cloud_init, list(host.tags)) == (server.id, b"#cloud-config\n", ["coldstart"])
    assert booted.public_ips[0].address == host.address
    _, writer = await asyncio.open_connection(host.address, host.port)
    writer.close()
    await writer.wait_closed()


async def test_a_power_off_ends_the_host_and_the_next_power_on_has_another_address(sdk: Sdk, hosts: Hosts) -> None:
    first = await sdk.booted()
    stopped = await sdk.stopped(first.id)
    assert stopped.public_ips == []
    await sdk.act(first.id, "poweron")
    second = await eventually(lambda: sdk.get(first.id), lambda s: bool(s.public_ips))
    assert second.public_ips[0].address != first.public_ips[0].address
    assert [host.server_id for host in hosts.made] == [first.id, first.id]
    assert hosts.made[0].told == ["start", "stop"]


async def test_a_power_off_interrupts_a_host_that_is_still_booting(sdk: Sdk, control: Control, hosts: Hosts) -> None:
    await control("PUT", "scenario", QUICK.model_copy(update={"ssh_up": 60}))
    server = await sdk.booted()
    await sdk.stopped(server.id)
    assert hosts.made[0].told == ["start", "stop"]


async def test_only_a_stopped_server_is_deleted_and_its_block_volume_stays(sdk: Sdk, control: Control) -> None:
    server = await sdk.booted()
    with pytest.raises(ScalewayException) as running:
        await ask(sdk.instance.delete_server, server_id=server.id)
    assert running.value.status_code == 400
    assert running.value.response.json()["precondition"] == "resource_still_in_use"
    await sdk.stopped(server.id)
    await ask(sdk.instance.delete_server, server_id=server.id)
    with pytest.raises(ScalewayException) as gone:
        await sdk.get(server.id)
    assert gone.value.status_code == 404
    assert gone.value.response.json()["resource"] == "instance_server"
    volume = await eventually(lambda: block_volume_of(sdk, server), lambda v: v.status == "available")
    assert volume.references == []
    await ask(sdk.block.delete_volume, volume_id=volume.id)
    assert not any((await control("GET", "account"))["remaining"].values())


async def test_a_block_volume_in_use_is_not_deleted(sdk: Sdk) -> None:
    server = await sdk.with_volume()
    with pytest.raises(ScalewayException) as in_use:
        await ask(sdk.block.delete_volume, volume_id=server.volumes["0"].id)
    assert in_use.value.status_code == 412


async def test_a_deleted_server_holds_its_volume_for_a_little_longer(sdk: Sdk, control: Control) -> None:
    await control("PUT", "scenario", QUICK.model_copy(update={"detach": 60}))
    server = await sdk.with_volume()
    await ask(sdk.instance.delete_server, server_id=server.id)
    assert (await block_volume_of(sdk, server)).status == "in_use"


@pytest.mark.parametrize("despite_deletion", [False, True])
async def test_a_server_deleted_before_its_boot_volume_may_leave_one_behind(
    sdk: Sdk, control: Control, *, despite_deletion: bool
) -> None:
    changes = {"boot_volume": 0.2, "boot_volume_despite_deletion": despite_deletion}
    await control("PUT", "scenarios/early", QUICK.model_copy(update=changes))
    await ask(sdk.instance.delete_server, server_id=(await sdk.create("early")).id)
    later = await sdk.create("early")
    await eventually(lambda: sdk.get(later.id), lambda s: bool(s.volumes))
    remaining = (await control("GET", "account"))["remaining"]
    assert len(remaining["block_volumes"]) == 1 + despite_deletion


async def test_terminate_deletes_a_running_server_and_detaches_its_block_volume(sdk: Sdk, control: Control) -> None:
    server = await sdk.booted()
    await sdk.act(server.id, "terminate")
    account = await eventually(lambda: control("GET", "account"), lambda seen: not seen["remaining"]["servers"])
    assert account["remaining"]["block_volumes"] == [server.volumes["0"].id]


async def test_a_local_volume_outlives_a_deletion_and_goes_with_a_terminate(sdk: Sdk, control: Control) -> None:
    server = await sdk.with_volume(commercial_type="DEV1-L", image="ubuntu_noble")
    volume_id = server.volumes["0"].id
    assert server.volumes["0"].volume_type == "l_ssd"
    volume = (await ask(sdk.instance.get_volume, volume_id=volume_id)).volume
    assert volume is not None
    assert volume.server is not None
    assert volume.server.id == server.id
    assert [listed.id for listed in await ask(sdk.instance.list_volumes_all)] == [volume_id]
    await ask(sdk.instance.delete_server, server_id=server.id)
    volume = (await ask(sdk.instance.get_volume, volume_id=volume_id)).volume
    assert volume is not None
    assert (volume.state, volume.server) == ("available", None)
    await ask(sdk.instance.delete_volume, volume_id=volume_id)
    terminated = await sdk.booted(commercial_type="DEV1-L", image="ubuntu_noble")
    await sdk.act(terminated.id, "terminate")
    account = await eventually(lambda: control("GET", "account"), lambda seen: not seen["remaining"]["servers"])
    assert not any(account["remaining"].values())


async def test_a_protected_server_is_deleted_but_neither_stopped_nor_terminated(sdk: Sdk) -> None:
    server = await sdk.booted()
    await ask(sdk.instance._update_server, server_id=server.id, protected=True)
    for action in ("poweroff", "terminate"):
        with pytest.raises(ScalewayException) as protected:
            await sdk.act(server.id, action)
        assert protected.value.status_code == 400
        assert protected.value.response.json()["precondition"] == "protected_resource"
    await ask(sdk.instance._update_server, server_id=server.id, protected=False)
    await sdk.stopped(server.id)
    await ask(sdk.instance._update_server, server_id=server.id, protected=True)
    await ask(sdk.instance.delete_server, server_id=server.id)


async def test_an_action_is_refused_while_another_runs_and_in_the_wrong_state(sdk: Sdk, control: Control) -> None:
    await control("PUT", "scenario", QUICK.model_copy(update={"poweron": 0.2}))
    server = await sdk.with_volume()
    with pytest.raises(ScalewayException) as stopped:
        await sdk.act(server.id, "poweroff")
    assert stopped.value.status_code == 412
    assert stopped.value.response.json()["message"].startswith("server should be running")
    await sdk.act(server.id, "poweron")
    with pytest.raises(ScalewayException) as starting:
        await sdk.act(server.id, "poweron")
    assert starting.value.status_code == 409
    assert starting.value.response.json()["current_state"] == "starting"
    await eventually(lambda: sdk.get(server.id), lambda s: s.state == "running")
    with pytest.raises(ScalewayException) as running:
        await sdk.act(server.id, "poweron")
    assert running.value.status_code == 412
    assert running.value.response.json()["type"] == "precondition_failed"
    assert running.value.response.json()["message"].startswith("server should be stopped")


async def test_an_update_changes_tags_and_security_group(sdk: Sdk) -> None:
    server = await sdk.create("coldstart")
    group = (
        await ask(sdk.instance.create_security_group, stateful=True, description="", name="workers")
    ).security_group
    assert group is not None
    wanted = SecurityGroupTemplate(id=group.id, name=group.name)
    await ask(sdk.instance._update_server, server_id=server.id, tags=["coldstart", "kept"], security_group=wanted)
    seen = await sdk.get(server.id)
    assert seen.tags == ["coldstart", "kept"]
    assert seen.security_group is not None
    assert seen.security_group.id == group.id


@pytest.mark.parametrize(
    ("change", "argument"),
    [
        ({"commercial_type": "L4-3-24G"}, "commercial_type"),
        ({"commercial_type": "DEV1-L", "image": IMAGE}, "image"),
        ({"placement_group": "a"}, "placement_group"),
    ],
)
async def test_a_create_that_cannot_be_is_refused_with_the_argument(
    sdk: Sdk, change: dict[str, str], argument: str
) -> None:
    with pytest.raises(ScalewayException) as refused:
        await sdk.create(**change)
    assert refused.value.status_code == 400
    assert refused.value.response.json()["details"][0]["argument_name"] == argument


async def test_an_image_that_is_not_there_is_a_404_that_names_it(sdk: Sdk) -> None:
    image_id = "00000000-0000-4000-8000-000000000000"
    with pytest.raises(ScalewayException) as by_id:
        await sdk.create(image=image_id)
    with pytest.raises(ScalewayException) as shown:
        await ask(sdk.instance.get_image, image_id=image_id)
    with pytest.raises(ScalewayException) as by_label:
        await ask(sdk.marketplace.list_local_images, image_label="macos")
    told = [refused.value.response.json() for refused in (by_id, shown, by_label)]
    assert {refused.value.status_code for refused in (by_id, shown, by_label)} == {404}
    assert [(each["resource"], each["resource_id"]) for each in told] == [
        ("instance_image", image_id), ("instance_image", image_id), ("MarketplaceImage", "macos"),
    ]  # fmt: skip


async def test_a_missing_user_data_key_is_a_404_without_a_body(sdk: Sdk) -> None:
    server = await sdk.create()
    with pytest.raises(requests.exceptions.JSONDecodeError):
        await ask(sdk.instance.get_server_user_data, server_id=server.id, key="happy")


async def test_a_filter_that_is_not_simulated_is_refused_rather_than_ignored(sdk: Sdk) -> None:
    with pytest.raises(ScalewayException) as refused:
        await ask(sdk.instance.list_servers, private_ip="10.0.0.1")
    assert refused.value.response.json()["details"][0]["argument_name"] == "private_ip"


async def test_a_hundred_servers_at_once_get_a_hundred_addresses(sdk: Sdk, control: Control, hosts: Hosts) -> None:
    gate = asyncio.Semaphore(16)

    async def boot() -> Server:
        async with gate:
            return await sdk.booted("many")

    servers = await asyncio.gather(*(boot() for _ in range(100)))
    assert len({server.public_ips[0].address for server in servers}) == 100
    assert len(await ask(sdk.instance.list_servers_all, tags=["many"])) == 100
    page = await ask(sdk.instance.list_servers, page=3, per_page=40)
    assert (len(page.servers), int(page.total_count)) == (20, 100)
    assert len(hosts.made) == 100
    assert len((await control("GET", "account"))["remaining"]["servers"]) == 100
