"""What the control API does behind the cloud's back."""

import pytest
from aiohttp import ClientResponseError
from scaleway.instance.v1 import SecurityGroupPolicy
from scaleway_core.api import ScalewayException

from simulator.control import NewVolume
from simulator.scenario import Scenario
from tests.simulator.clients import ZONE, Control, Sdk, ask, eventually
from tests.simulator.conftest import QUICK
from tests.simulator.fake_hosts import Hosts


async def test_a_killed_server_is_gone_and_its_host_destroyed(sdk: Sdk, control: Control, hosts: Hosts) -> None:
    server = await sdk.booted()
    await control("POST", f"servers/{server.id}/kill")
    with pytest.raises(ScalewayException) as gone:
        await sdk.get(server.id)
    assert gone.value.status_code == 404
    account = await control("GET", "account")
    assert account["remaining"]["servers"] == []
    assert account["remaining"]["block_volumes"] == [server.volumes["0"].id]
    await eventually(lambda: control("GET", "account"), lambda _: "destroy" in hosts.made[0].told)


async def test_a_server_is_killed_in_the_middle_of_a_start(sdk: Sdk, control: Control, hosts: Hosts) -> None:
    await control("PUT", "scenario", QUICK.model_copy(update={"poweron": 60}))
    server = await sdk.with_volume()
    await sdk.act(server.id, "poweron")
    await control("POST", f"servers/{server.id}/kill")
    await eventually(lambda: control("GET", "account"), lambda _: hosts.made[0].told == ["destroy"])


async def test_a_server_is_stopped_by_the_provider(sdk: Sdk, control: Control) -> None:
    server = await sdk.booted()
    stopped = await control("POST", f"servers/{server.id}/stop")
    assert stopped["state"] == "stopped"
    assert (await sdk.get(server.id)).public_ips == []


async def test_a_stopped_server_is_started_again_elsewhere_with_its_volume(
    sdk: Sdk, control: Control, hosts: Hosts
) -> None:
    server = await sdk.booted()
    await control("POST", f"servers/{server.id}/stop")
    started = await control("POST", f"servers/{server.id}/start")
    assert started["state"] == "running"
    assert started["address"] not in (None, server.public_ips[0].address)
    assert started["volumes"] == [server.volumes["0"].id]
    assert hosts.made[1].address == started["address"]


async def test_a_volume_that_somebody_attaches_is_shown_behind_the_boot_volume(sdk: Sdk, control: Control) -> None:
    server = await sdk.with_volume()
    attached = await control("POST", f"servers/{server.id}/attach")
    shown = (await sdk.get(server.id)).volumes
    assert [shown[slot].id for slot in ("0", "1")] == [server.volumes["0"].id, attached["id"]]
    assert (attached["server_id"], attached["tags"]) == (server.id, [])


async def test_a_server_is_moved_into_the_default_group(sdk: Sdk, control: Control) -> None:
    made = await ask(
        sdk.instance.create_security_group, zone=ZONE, name="theirs", description="", stateful=True,
        inbound_default_policy=SecurityGroupPolicy.DROP, outbound_default_policy=SecurityGroupPolicy.ACCEPT,
    )  # fmt: skip
    group = made.security_group
    assert group is not None
    server = await sdk.create(security_group=group.id)
    moved = await control("POST", f"servers/{server.id}/ungroup")
    account = await control("GET", "account")
    assert [each["default"] for each in account["security_groups"] if each["id"] == moved["security_group"]] == [True]


async def test_only_a_stopped_server_is_started(sdk: Sdk, control: Control) -> None:
    server = await sdk.booted()
    with pytest.raises(ClientResponseError) as refused:
        await control("POST", f"servers/{server.id}/start")
    assert refused.value.status == 409


async def test_a_running_server_is_readdressed_and_keeps_running(sdk: Sdk, control: Control, hosts: Hosts) -> None:
    server = await sdk.booted()
    moved = await control("POST", f"servers/{server.id}/readdress")
    (address,) = (await sdk.get(server.id)).public_ips
    assert address.address == moved["address"] == hosts.made[1].address != server.public_ips[0].address
    assert moved["state"] == "running"
    assert [moment["what"] for moment in moved["history"]].count("stopped") == 0
    assert hosts.made[0].told[-1] == "stop"


async def test_a_volume_is_made_with_the_tags_of_anybody(sdk: Sdk, control: Control) -> None:
    made = await control("POST", "volumes", NewVolume(zone=ZONE, tags=("another=1",)))
    (listed,) = (await ask(sdk.block.list_volumes, zone=ZONE, include_deleted=False)).volumes
    assert listed.id == made["id"]
    assert listed.tags == ["another=1"]
    assert listed.status == "available"


async def test_a_paused_cloud_answers_503_until_it_resumes(sdk: Sdk, control: Control) -> None:
    await control("POST", "pause")
    with pytest.raises(ScalewayException) as paused:
        await ask(sdk.instance.list_servers)
    assert paused.value.status_code == 503
    await control("POST", "resume")
    await ask(sdk.instance.list_servers)


async def test_the_account_remembers_deleted_servers_and_their_power_ons(sdk: Sdk, control: Control) -> None:
    server = await sdk.booted("coldstart")
    await sdk.stopped(server.id)
    await ask(sdk.instance.delete_server, server_id=server.id)
    (kept,) = (await control("GET", "account"))["servers"]
    assert kept["deleted_at"] is not None
    assert kept["power_ons"] == 1
    moments = [moment["what"] for moment in kept["history"]]
    assert moments[0] == "created"
    assert moments[-1] == "deleted"
    assert moments.index("poweron") < moments.index("running") < moments.index("poweroff") < moments.index("stopped")


async def test_the_scenario_in_force_is_shown_with_the_sum_of_its_delays(control: Control) -> None:
    wanted = Scenario(poweron=2, seed=7)
    assert (await control("PUT", "scenario", wanted))["launch_seconds"] == pytest.approx(wanted.launch_seconds)
    assert Scenario.model_validate((await control("GET", "scenario"))["scenario"]) == wanted


def test_a_launch_takes_the_sum_of_the_delays_on_its_way() -> None:
    scenario = Scenario(
        create=1, boot_volume=2, volume_update=3, poweron=4, ssh_up=5, address=6, image_pull=7, worker_start=8,
        model_load=9,
    )  # fmt: skip
    assert scenario.launch_seconds == 1 + 2 + 3 + (4 + 5) + 7 + 8 + 9
    assert scenario.model_copy(update={"address": 20}).launch_seconds == 1 + 2 + 3 + 20 + 7 + 8 + 9


def test_failing_runs_of_an_install_need_a_phase_to_fail_in() -> None:
    with pytest.raises(ValueError, match="install_fails_at"):
        Scenario(install_fails_times=2)
