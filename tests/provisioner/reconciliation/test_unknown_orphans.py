"""The command deletes everything that no instance in the journal owns, and nothing else."""

import time
from dataclasses import replace
from uuid import UUID, uuid4

import pytest

from services.provisioner.provider import Order, Power, Server, TryAgain
from services.provisioner.reconciliation.reconcile import Reconcile
from shared.lifecycle import events as e
from shared.reconciliation import Kind, Reason
from tests.bus.older_streams import let_events_be_deleted
from tests.provisioner.fake_images import Snapshot
from tests.provisioner.fake_provider import Delays, Group
from tests.provisioner.reconciling import a_reconcile
from tests.provisioner.stage import Stage


@pytest.fixture
def reconcile(stage: Stage) -> Reconcile:
    return a_reconcile(stage)


async def _whole_of(stage: Stage, instance_id: UUID) -> Server:
    """A running server with a group. Its volume has no tag yet."""
    provider = stage.provider
    made = await provider.create_server(Order(instance_id, "stray", "zone-2", "L4-1-24G", b""))
    assert isinstance(made, Server)
    await provider.power_on("zone-2", made.id)
    group_id = await provider.make_security_group(made.zone, instance_id)
    await provider.open_ports(made, instance_id, group_id, (22,), ("0.0.0.0/0",))
    found = await provider.get_server("zone-2", made.id)
    assert found is not None
    assert found.power is Power.ON
    return found


async def test_nothing_unknown_goes_by_itself(stage: Stage, reconcile: Reconcile) -> None:
    server = await _whole_of(stage, uuid4())
    for _ in range(3):
        report = await reconcile()
    assert report.removed == ()
    assert stage.provider.alive == [server.id]
    assert (len(stage.provider.volumes), len(stage.provider.groups)) == (1, 1)
    assert {"power_off", "delete_server", "delete_volume", "release_network"}.isdisjoint(stage.provider.calls)


async def test_by_command_it_goes_with_everything_around_it(stage: Stage, reconcile: Reconcile) -> None:
    instance_id = uuid4()
    server = await _whole_of(stage, instance_id)
    report = await reconcile(delete_unknown=True)
    assert stage.provider.empty
    assert [(each.kind, each.reason, each.instance_id) for each in report.removed] == [
        (Kind.SERVER, Reason.UNKNOWN, instance_id),
        (Kind.VOLUME, Reason.UNKNOWN, instance_id),
        (Kind.SECURITY_GROUP, Reason.UNKNOWN, instance_id),
    ]
    assert [each.id for each in report.removed][:2] == [server.id, *server.volume_ids]
    assert not report.unknown
    assert not report.errors


async def test_by_command_scratch_storage_goes_with_its_server(stage: Stage, reconcile: Reconcile) -> None:
    stage.provider.scratch_types = {"L4-1-24G"}
    server = await _whole_of(stage, uuid4())
    report = await reconcile(delete_unknown=True)
    assert stage.provider.empty
    volumes = {each.id for each in report.removed if each.kind is Kind.VOLUME}
    assert volumes == {*server.volume_ids, *server.scratch_ids}
    assert not report.errors


async def test_by_command_a_snapshot_goes_that_no_image_needs(stage: Stage, reconcile: Reconcile) -> None:
    stage.provider.images.snapshots["stray"] = Snapshot("zone-2", "volume-9", uuid4(), 20, time.monotonic())
    assert [(each.kind, each.id) for each in (await reconcile()).unknown] == [(Kind.DISK_SNAPSHOT, "stray")]
    report = await reconcile(delete_unknown=True)
    assert [(each.kind, each.reason) for each in report.removed] == [(Kind.DISK_SNAPSHOT, Reason.UNKNOWN)]
    assert stage.provider.empty


async def test_by_command_a_known_instance_stays_beside_it(stage: Stage, reconcile: Reconcile) -> None:
    await stage.launched()
    told = await stage.told()
    await _whole_of(stage, uuid4())
    report = await reconcile(delete_unknown=True)
    assert len(report.removed) == 3
    assert stage.provider.alive == ["server-1"]
    assert list(stage.provider.volumes) == ["volume-1"]
    assert list(stage.provider.groups) == ["group-1"]
    assert await stage.told() == told


async def test_volumes_and_groups_without_a_server_go_too(stage: Stage, reconcile: Reconcile) -> None:
    instance_id = uuid4()
    server = await _whole_of(stage, instance_id)
    await stage.provider.grow_volume("zone-2", server.volume_ids[0], 200, instance_id)
    stage.provider.lose(server.id)
    report = await reconcile(delete_unknown=True)
    assert stage.provider.empty
    assert {each.kind for each in report.removed} == {Kind.VOLUME, Kind.SECURITY_GROUP}


async def test_a_volume_is_tagged_before_its_server_goes(stage: Stage, reconcile: Reconcile) -> None:
    """If the command is interrupted after that, the next one still finds the volume."""
    await _whole_of(stage, uuid4())
    stage.provider.fail("delete_server", TryAgain("timed_out", "no answer"), when="after")
    report = await reconcile(delete_unknown=True)
    assert stage.provider.alive == []
    assert not report.removed
    assert len(report.errors) == 1
    assert {each.kind for each in (await reconcile()).unknown} == {Kind.VOLUME, Kind.SECURITY_GROUP}
    await reconcile(delete_unknown=True)
    assert stage.provider.empty


async def test_a_volume_that_somebody_attached_stays(stage: Stage, reconcile: Reconcile) -> None:
    server = await _whole_of(stage, uuid4())
    theirs = stage.provider.attach(server.id)
    report = await reconcile(delete_unknown=True)
    assert not stage.provider.alive
    assert stage.provider.volumes.keys() == {theirs}
    assert theirs not in {each.id for each in report.removed}
    assert theirs not in stage.provider.tagged_volumes


async def test_a_server_is_not_deleted_while_its_volume_cannot_be_tagged(stage: Stage, reconcile: Reconcile) -> None:
    server = await _whole_of(stage, uuid4())
    stage.provider.fail("grow_volume", TryAgain("cloud_error", "not now"))
    report = await reconcile(delete_unknown=True)
    assert stage.provider.alive == [server.id]
    assert [each.kind for each in report.unknown] == [Kind.SERVER, Kind.SECURITY_GROUP]


async def test_a_boot_volume_that_comes_late_is_waited_for(stage: Stage, reconcile: Reconcile) -> None:
    stage.provider.delays = Delays(volume=0.05)
    made = await stage.provider.create_server(Order(uuid4(), "stray", "zone-2", "L4-1-24G", b""))
    assert isinstance(made, Server)
    assert not stage.provider.volumes
    report = await reconcile(delete_unknown=True)
    assert [each.kind for each in report.removed] == [Kind.SERVER, Kind.VOLUME]
    assert stage.provider.empty


@pytest.mark.parametrize("call", ["tagged_resources", "power_off", "grow_volume"])
async def test_an_instance_that_becomes_known_meanwhile_is_left_alone(
    stage: Stage, reconcile: Reconcile, call: str
) -> None:
    """The journal is asked again right before each call."""
    server = await _whole_of(stage, stage.instance_id)
    stage.provider.after[call] = stage.requested
    report = await reconcile(delete_unknown=True)
    assert stage.provider.alive == [server.id]
    assert not report.removed
    assert not report.errors
    assert len(stage.provider.groups) == 1


async def test_trouble_with_one_does_not_keep_the_others(stage: Stage, reconcile: Reconcile) -> None:
    servers = {server.id: server for server in [await _whole_of(stage, uuid4()) for _ in range(2)]}
    stage.provider.fail("power_off", TryAgain("cloud_error", "not now"))
    report = await reconcile(delete_unknown=True)
    (stubborn,) = stage.provider.alive  # both at once: either may be the one that is asked first
    assert report.errors == (f"unknown instance {servers[stubborn].instance_id}: cloud_error: not now",)


async def test_what_names_no_instance_is_left_to_people(stage: Stage, reconcile: Reconcile) -> None:
    server = await _whole_of(stage, uuid4())
    machine = stage.provider.machines[server.id]
    machine.server = replace(machine.server, instance_id=None)
    report = await reconcile(delete_unknown=True)
    assert stage.provider.alive == [server.id]
    (unknown,) = [each for each in report.unknown if each.kind is Kind.SERVER]
    assert unknown.instance_id is None
    assert "at the provider" in unknown.hint


async def test_what_a_known_instance_has_on_record_stays_whatever_its_tags_say(
    stage: Stage, reconcile: Reconcile
) -> None:
    """Somebody has edited them, and they name an instance that never was."""
    await stage.launched()
    strange = uuid4()
    machine = stage.provider.machines["server-1"]
    machine.server = replace(machine.server, instance_id=strange)
    stage.provider.tagged_volumes["volume-1"] = strange
    stage.provider.groups["group-1"].instance_id = strange
    report = await reconcile(delete_unknown=True)
    assert stage.provider.alive == ["server-1"]
    assert (list(stage.provider.volumes), list(stage.provider.groups)) == (["volume-1"], ["group-1"])
    assert {unknown.id for unknown in report.unknown} == {"server-1", "volume-1", "group-1"}
    assert not report.removed


async def test_a_lost_journal_deletes_nothing(stage: Stage, reconcile: Reconcile) -> None:
    """An empty journal of another installation: nothing at the provider has its tag, and it knows no instance."""
    stage.provider.groups["of-others"] = Group(uuid4(), "zone-1", time.monotonic())
    server = await _whole_of(stage, stage.instance_id)
    for _ in range(3):
        report = await reconcile()
    assert not report.removed
    assert stage.provider.alive == [server.id]
    assert len(report.unknown) == 3


async def test_a_partly_restored_journal_deletes_nothing_of_what_it_lacks(stage: Stage, reconcile: Reconcile) -> None:
    await let_events_be_deleted(stage.connection.jetstream())
    await stage.launched()
    lacking = stage.instance_id
    await stage.connection.jetstream().purge_stream("LIFECYCLE", subject=f"lifecycle.{lacking}.>")
    stage.instance_id = uuid4()
    await stage.launched()
    for _ in range(3):
        report = await reconcile()
    assert stage.provider.alive == ["server-1", "server-2"]
    assert (len(stage.provider.volumes), len(stage.provider.groups)) == (2, 2)
    assert {unknown.instance_id for unknown in report.unknown} == {lacking}
    assert (await stage.instance()).reached(e.SshReachable)
