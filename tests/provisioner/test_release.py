"""Releasing: nothing is left, whatever was there, whatever fails, and it never gives up."""

import asyncio
from functools import partial
from typing import Any

import pytest
from nats.aio.client import Client
from nats.aio.msg import Msg

from services.provisioner.provider import Order, Rejected, Server, Silent, TryAgain
from shared.bus.lease import LeaseLost
from shared.journal.direct_get import direct_get
from shared.lifecycle import events as e
from shared.lifecycle.fact import Action
from shared.lifecycle.status import Status
from tests.provisioner.fake_provider import Delays
from tests.provisioner.stage import Stage, a_lease


class Crashed(BaseException):
    pass


async def _another_server(stage: Stage, zone: str = "zone-2") -> Server:
    made = await stage.provider.create_server(Order(stage.instance_id, "another", zone, "L4-1-24G", b""))
    assert isinstance(made, Server)
    return made


@pytest.mark.parametrize(
    "reached",
    [e.InstanceRequested, e.InstanceCreated, e.VolumeResized, e.InstanceStarted, e.IpAssigned, e.SshReachable],
)
async def test_nothing_is_left_wherever_the_launch_was(stage: Stage, reached: type[e.Event]) -> None:
    stage.provider.delays = Delays(tags=0.05, volume=0.05, power_on=0.05, power_off=0.05, detach=0.05)
    await stage.launched(until=reached)
    await stage.terminated()
    await stage.deliver(e.TerminationRequested)
    assert stage.provider.empty
    instance = await stage.instance()
    assert (instance.status, instance.resources.released) == (Status.TERMINATED, True)


async def test_a_failed_instance_is_released_and_keeps_its_status(stage: Stage) -> None:
    await stage.launched()
    await stage.happened(e.StartupFailed, attempt=1, code="startup_timeout", message="never loaded")
    await stage.deliver(e.StartupFailed)
    assert stage.provider.empty
    instance = await stage.instance()
    assert (instance.status, instance.resources.released) == (Status.STARTUP_FAILED, True)
    assert (await stage.told())[-1] == "ResourcesReleased"


async def test_an_instance_kept_for_inspection_stays_until_it_is_terminated(stage: Stage) -> None:
    await stage.launched(keep_for_inspection=True)
    await stage.happened(e.StartupFailed, attempt=1, code="startup_timeout", message="never loaded")
    await stage.deliver(e.StartupFailed)
    assert stage.provider.alive == ["server-1"]
    await stage.terminated()
    await stage.deliver(e.TerminationRequested)
    assert stage.provider.empty


async def test_a_boot_volume_that_comes_late_is_not_left_behind(stage: Stage) -> None:
    stage.provider.delays = Delays(volume=0.1)
    await stage.launched(until=e.InstanceCreated)
    await stage.terminated()
    await stage.deliver(e.TerminationRequested)
    assert len(await stage.events(e.VolumeFound)) == 1
    assert stage.provider.empty


async def test_every_volume_is_on_record_before_its_server_goes(stage: Stage) -> None:
    await stage.launched(until=e.InstanceCreated)
    recorded: list[str] = []

    async def look() -> None:
        recorded.extend(volume.id for volume in (await stage.instance()).resources.volumes)

    stage.provider.before["delete_server"] = look
    await stage.terminated()
    await stage.deliver(e.TerminationRequested)
    assert recorded == ["volume-1"]


@pytest.mark.parametrize("reached", [e.VolumeResized, e.SshReachable])
async def test_a_volume_that_somebody_attached_stays(stage: Stage, reached: type[e.Event]) -> None:
    await stage.launched(until=reached)
    theirs = stage.provider.attach("server-1")
    await stage.terminated()
    await stage.deliver(e.TerminationRequested)
    assert not stage.provider.alive
    assert stage.provider.volumes.keys() == {theirs}
    instance = await stage.instance()
    assert [volume.id for volume in instance.resources.volumes] == ["volume-1"]
    assert (instance.status, instance.resources.released) == (Status.TERMINATED, True)


@pytest.mark.parametrize("reached", [e.InstanceRequested, e.InstanceCreated, e.SshReachable])
async def test_a_further_volume_that_came_with_the_image_goes(stage: Stage, reached: type[e.Event]) -> None:
    """Another volume was there before the server was first powered on, so it is not anybody else's."""

    async def made_with_it() -> None:
        stage.provider.attach("server-1")

    stage.provider.after["create_server"] = made_with_it
    await stage.launched(until=reached)
    if reached is e.InstanceRequested:
        await _another_server(stage)
    await stage.terminated()
    await stage.deliver(e.TerminationRequested)
    assert stage.provider.empty


@pytest.mark.parametrize("reached", [e.InstanceRequested, e.InstanceCreated, e.VolumeResized, e.SshReachable])
async def test_scratch_storage_goes_with_its_server(stage: Stage, reached: type[e.Event]) -> None:
    stage.provider.scratch_types = {"L4-1-24G"}
    await stage.launched(until=reached)
    if reached is e.InstanceRequested:
        await _another_server(stage)
    await stage.terminated()
    await stage.deliver(e.TerminationRequested)
    assert stage.provider.empty
    found = [(volume.volume_id, volume.scratch) for volume in await stage.events(e.VolumeFound)]
    assert sorted(found) == [("scratch-1", True), ("volume-1", False)]


async def test_a_boot_volume_is_waited_for_also_beside_scratch_storage_that_is_there_at_once(stage: Stage) -> None:
    stage.provider.scratch_types, stage.provider.delays = {"L4-1-24G"}, Delays(volume=0.1)
    await stage.launched(until=e.InstanceCreated)
    await stage.terminated()
    await stage.deliver(e.TerminationRequested)
    assert {volume.volume_id for volume in await stage.events(e.VolumeFound)} == {"scratch-1", "volume-1"}
    assert stage.provider.empty


async def test_servers_found_by_tag_and_recorded_duplicates_go_too(stage: Stage) -> None:
    await stage.launched()
    unrecorded = await _another_server(stage)
    duplicate = await _another_server(stage)
    await stage.happened(e.InstanceCreated, server_id=duplicate.id, zone=duplicate.zone, instance_type="L4-1-24G")
    assert {"server-1", unrecorded.id, duplicate.id} == set(stage.provider.alive)
    await stage.terminated()
    await stage.deliver(e.TerminationRequested)
    assert stage.provider.empty


async def test_a_duplicate_is_found_by_its_id_in_whatever_zone_when_its_tag_is_not_listed(stage: Stage) -> None:
    await stage.launched()
    duplicate = await _another_server(stage)
    await stage.happened(e.InstanceCreated, server_id=duplicate.id, zone=duplicate.zone, instance_type="L4-1-24G")
    stage.provider.delays = Delays(tags=60)
    await stage.terminated()
    await stage.deliver(e.TerminationRequested)
    assert stage.provider.empty


async def test_it_backs_off_and_goes_on_for_as_long_as_it_takes(stage: Stage) -> None:
    await stage.launched()
    stage.provider.fail("delete_server", *[TryAgain("conflict", "not yet")] * 5, Rejected("forbidden", "no more"))
    await stage.terminated()
    await stage.deliver(e.TerminationRequested, age_s=1e6)
    delayed = await stage.events(e.ActionDelayed)
    assert [event.number for event in delayed] == [1, 2, 3, 4, 5, 6]
    assert {event.action for event in delayed} == {Action.RELEASE}
    assert stage.provider.empty
    assert (await stage.instance()).status is Status.TERMINATED


async def test_one_server_that_will_not_go_does_not_keep_the_other(stage: Stage) -> None:
    await stage.launched()
    other = await _another_server(stage)
    stage.provider.fail("delete_server", TryAgain("conflict", "not yet"))
    seen: list[list[str]] = []

    async def look() -> None:
        seen.append(stage.provider.alive)

    stage.provider.after["delete_volume"] = look
    await stage.terminated()
    await stage.deliver(e.TerminationRequested)
    assert seen[0] in (["server-1"], [other.id])
    assert stage.provider.empty


async def test_lists_that_cannot_be_read_do_not_keep_what_is_on_record(stage: Stage) -> None:
    await stage.launched()
    await stage.terminated()
    stage.provider.fail("find_servers", TryAgain("cloud_error", "not now"))
    stage.provider.fail("find_volumes", TryAgain("cloud_error", "not now"))
    stage.provider.before["delete_server"] = partial(_has_told, stage, [])
    await stage.deliver(e.TerminationRequested)
    await _has_told(stage, ["cloud_error"])
    assert stage.provider.empty


async def _has_told(stage: Stage, codes: list[str]) -> None:
    assert [event.code for event in await stage.events(e.ActionDelayed)] == codes


async def test_where_the_server_is_on_record_who_is_silent_keeps_no_release_waiting(stage: Stage) -> None:
    await stage.launched()
    await stage.terminated()
    stage.provider.fail("find_servers", *[Silent("machine_unreachable", "the desk is off")] * 9)
    await stage.deliver(e.TerminationRequested)
    assert stage.provider.empty
    assert (await stage.instance()).status is Status.TERMINATED
    await _has_told(stage, [])


async def test_where_no_server_is_on_record_who_is_silent_may_have_one_and_is_waited_for(stage: Stage) -> None:
    await stage.requested()
    await _another_server(stage)
    await stage.terminated()
    stage.provider.fail("find_servers", *[Silent("machine_unreachable", "the desk is off")] * 2)
    await stage.deliver(e.TerminationRequested, age_s=60.0)
    assert stage.provider.empty
    await _has_told(stage, ["machine_unreachable"] * 2)


async def test_an_unknown_servers_creation_is_waited_out_before_an_empty_list_is_trusted(stage: Stage) -> None:
    stage.provider.delays = Delays(tags=0.15)
    await stage.requested()
    await _another_server(stage)
    await stage.terminated()
    await stage.deliver(e.TerminationRequested)
    assert stage.provider.empty
    assert (await stage.instance()).status is Status.TERMINATED


async def test_a_server_that_is_claimed_while_the_end_is_recorded_asks_for_another_pass(stage: Stage) -> None:
    await stage.requested()
    await stage.terminated()
    late: list[Server] = []

    async def claimed() -> None:
        server = await _another_server(stage)
        late.append(server)
        await stage.happened(e.InstanceCreated, server_id=server.id, zone=server.zone, instance_type="L4-1-24G")

    await asyncio.sleep(stage.settings.settle_seconds)
    stage.provider.after["release_network"] = claimed
    await stage.deliver(e.TerminationRequested)
    assert late
    assert stage.provider.empty
    assert (await stage.instance()).status is Status.TERMINATED


async def test_a_crash_in_the_middle_is_taken_up_by_the_next(stage: Stage) -> None:
    await stage.launched()
    await stage.terminated()
    for call in ("power_off", "delete_server", "delete_volume", "release_network"):
        stage.provider.fail(call, Crashed(), when="after")
        with pytest.raises(Crashed):
            await stage.deliver(e.TerminationRequested, redelivered=True)
    await stage.deliver(e.TerminationRequested, redelivered=True)
    assert stage.provider.empty
    assert (await stage.told()).count("InstanceTerminated") == 1


@pytest.mark.parametrize("call", ["delete_volume", "release_network", "find_volumes"])
async def test_a_server_costs_nothing_once_it_is_gone_whatever_else_is_still_there(stage: Stage, call: str) -> None:
    await stage.launched()
    await stage.terminated()
    stage.provider.fail(call, *[TryAgain("resource_in_use", "not now")] * 3)
    await stage.deliver(e.TerminationRequested)
    told = await stage.told()
    gone = told.index("ServerDeleted")
    assert told[gone + 1 :].count("ActionDelayed") == 3
    assert told.count("ServerDeleted") == 1
    (deleted,) = await stage.events(e.ServerDeleted)
    (period,) = (await stage.instance()).powered
    assert period.until == deleted.occurred_at


async def test_a_server_that_was_gone_already_costs_nothing_either(stage: Stage) -> None:
    await stage.launched()
    await stage.terminated()
    stage.provider.lose("server-1")
    stage.provider.fail("delete_volume", TryAgain("resource_in_use", "not now"))
    await stage.deliver(e.TerminationRequested)
    told = await stage.told()
    assert told.index("ServerDeleted") < told.index("ActionDelayed")


async def test_two_at_once_release_once(stage: Stage) -> None:
    stage.provider.delays = Delays(power_off=0.05, detach=0.05)
    await stage.launched()
    await stage.terminated()
    await asyncio.gather(stage.deliver(e.TerminationRequested), stage.deliver(e.TerminationRequested))
    assert stage.provider.empty
    assert (await stage.told()).count("InstanceTerminated") == 1


async def test_a_lost_lease_stops_before_anything_is_deleted(stage: Stage) -> None:
    await stage.launched()
    await stage.terminated()
    lease = a_lease()
    stage.provider.after["find_volumes"] = lease.surrender
    with pytest.raises(LeaseLost):
        await stage.deliver(e.TerminationRequested, lease=lease)
    assert stage.provider.alive == ["server-1"]


async def test_a_volume_found_on_an_ended_instance_is_released(stage: Stage) -> None:
    await stage.launched()
    await stage.terminated()
    await stage.deliver(e.TerminationRequested)
    stage.provider.volumes["volume-late"] = ("zone-1", "server-1")
    await stage.happened(e.VolumeFound, volume_id="volume-late", server_id="server-1")
    await stage.deliver(e.VolumeFound)
    assert stage.provider.empty
    instance = await stage.instance()
    assert (instance.status, instance.resources.released) == (Status.TERMINATED, True)


async def test_a_release_looks_once_more_after_it_has_found_a_group(stage: Stage) -> None:
    """A deletion that was answered may not have happened, and the server is gone already."""
    await stage.launched()
    await stage.terminated()
    stage.provider.machines.clear()
    stage.provider.volumes.clear()
    await stage.deliver(e.TerminationRequested)
    assert stage.provider.empty
    assert stage.provider.calls.count("release_network") == 2


async def test_a_group_whose_tag_is_listed_late_goes_by_its_id(stage: Stage) -> None:
    stage.provider.delays = Delays(group_tags=60)
    await stage.launched()
    await stage.terminated()
    await stage.deliver(e.TerminationRequested)
    assert stage.provider.empty


about_to_make_a_group = pytest.mark.parametrize("trigger", [e.InstanceRequested, e.IpAssigned])


async def _until_a_group_is_made(stage: Stage, trigger: type[e.Event]) -> None:
    """An action is about to make a group: the creation, or, for a server in no group, the opening of ports."""
    if trigger is e.InstanceRequested:
        await stage.requested()
    else:
        await stage.launched_without_a_group()


@about_to_make_a_group
async def test_a_group_that_a_dead_holder_made_unrecorded_is_waited_for(stage: Stage, trigger: type[e.Event]) -> None:
    stage.provider.delays = Delays(group_tags=0.15)
    await _until_a_group_is_made(stage, trigger)
    stage.provider.fail("make_security_group", Crashed(), when="after")
    with pytest.raises(Crashed):
        await stage.deliver(trigger)
    await stage.terminated()
    await stage.deliver(e.TerminationRequested)
    assert stage.provider.empty


@about_to_make_a_group
async def test_a_group_is_on_record_before_the_server_is_in_it_and_goes_when_that_was_overtaken(
    stage: Stage, trigger: type[e.Event]
) -> None:
    stage.provider.delays = Delays(group_tags=60)
    await _until_a_group_is_made(stage, trigger)
    stage.provider.after["make_security_group"] = stage.terminated
    await stage.deliver(trigger)
    assert "open_ports" not in stage.provider.calls
    assert stage.provider.calls.count("create_server") == (trigger is e.IpAssigned)
    assert (await stage.instance()).resources.security_group_ids == ("group-1",)
    assert stage.provider.empty


@about_to_make_a_group
async def test_a_group_made_after_the_release_is_released_too(stage: Stage, trigger: type[e.Event]) -> None:
    stage.provider.delays = Delays(group_tags=60)
    await _until_a_group_is_made(stage, trigger)

    async def ended() -> None:
        await stage.terminated()
        await stage.deliver(e.TerminationRequested)
        assert (await stage.instance()).status is Status.TERMINATED

    stage.provider.before["make_security_group"] = ended
    await stage.deliver(trigger)
    await stage.deliver(e.SecurityGroupFound)
    assert stage.provider.empty
    assert (await stage.instance()).resources.released


@about_to_make_a_group
async def test_two_holders_that_make_two_groups_use_one_and_both_go(stage: Stage, trigger: type[e.Event]) -> None:
    stage.provider.delays = Delays(group_tags=60)
    await _until_a_group_is_made(stage, trigger)
    met = asyncio.Barrier(2)

    async def first() -> None:
        stage.provider.before["make_security_group"] = second
        await met.wait()

    async def second() -> None:
        await met.wait()

    stage.provider.before["make_security_group"] = first
    await asyncio.gather(stage.deliver(trigger), stage.deliver(trigger))
    assert set((await stage.instance()).resources.security_group_ids) == stage.provider.groups.keys()
    assert len(stage.provider.groups) == 2
    assert {stage.provider.group_of(each) for each in stage.provider.alive} <= stage.provider.groups.keys()
    await stage.terminated()
    await stage.deliver(e.TerminationRequested)
    assert stage.provider.empty


async def test_a_release_delivered_after_the_end_does_nothing(stage: Stage) -> None:
    await stage.launched()
    await stage.terminated()
    await stage.deliver(e.TerminationRequested)
    calls = len(stage.provider.calls)
    await stage.deliver(e.TerminationRequested, redelivered=True)
    assert len(stage.provider.calls) == calls


async def test_a_replica_that_has_not_heard_of_the_end_yet_does_not_make_it_forgotten(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    await stage.launched()
    before = await direct_get(stage.connection, {"last_by_subj": f"lifecycle.{stage.instance_id}.>"})

    async def lagging(connection: Client, request: dict[str, Any]) -> Msg | None:
        if "last_by_subj" in request and behind:
            behind.pop()
            return before
        return await direct_get(connection, request)

    await stage.terminated()
    behind = [1, 2]
    monkeypatch.setattr("shared.journal.histories.direct_get", lagging)
    await stage.deliver(e.TerminationRequested)
    assert stage.provider.empty
    monkeypatch.undo()
    assert (await stage.instance()).status is Status.TERMINATED
