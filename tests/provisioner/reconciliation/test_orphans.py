"""What an ended instance left behind, and second servers, are deleted once that is certain. Nothing else is touched."""

import time
from dataclasses import replace
from datetime import timedelta
from uuid import UUID, uuid4

import pytest
from prometheus_client import REGISTRY

from services.provisioner.provider import Order, Resource, Server, TryAgain
from services.provisioner.reconciliation import context
from services.provisioner.reconciliation.ownership import reason_to_remove
from services.provisioner.reconciliation.reconcile import Reconcile
from shared.lifecycle import events as e
from shared.lifecycle.fact import Action
from shared.lifecycle.status import Status
from shared.reconciliation import Kind, Reason, Removed
from tests.lifecycle import facts
from tests.lifecycle.facts import given
from tests.provisioner.fake_images import Snapshot
from tests.provisioner.fake_provider import Group
from tests.provisioner.reconciling import EVERY_LIST, Clock, a_reconcile
from tests.provisioner.stage import Stage


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def reconcile(stage: Stage, clock: Clock) -> Reconcile:
    return a_reconcile(stage, clock)


def counted(kind: Kind) -> float:
    labels = {"provider": "scaleway", "kind": kind}
    return REGISTRY.get_sample_value("coldstart_reconciliation_removed_total", labels) or 0.0


async def _server_of(stage: Stage, instance_id: UUID) -> Server:
    made = await stage.provider.create_server(Order(instance_id, "another", "zone-2", "L4-1-24G", b""))
    assert isinstance(made, Server)
    return made


async def _released(stage: Stage) -> None:
    await stage.launched()
    await stage.terminated()
    await stage.deliver(e.TerminationRequested)
    assert stage.provider.empty
    stage.provider.calls.clear()


def _leave(stage: Stage, owner: UUID) -> None:
    """A group and a volume whose tags were listed only after the release."""
    stage.provider.groups["group-late"] = Group(owner, "zone-1", time.monotonic())
    stage.provider.volumes["volume-late"] = ("zone-1", "server-1")
    stage.provider.tagged_volumes["volume-late"] = owner


async def test_a_duplicate_goes_with_its_volume_and_the_owner_stays(stage: Stage, reconcile: Reconcile) -> None:
    await stage.launched()
    duplicate = await _server_of(stage, stage.instance_id)
    await stage.provider.power_on("zone-2", duplicate.id)
    before = counted(Kind.SERVER)
    report = await reconcile()
    assert counted(Kind.SERVER) == before + 1
    assert stage.provider.alive == ["server-1"]
    assert list(stage.provider.volumes) == ["volume-1"]
    instance = await stage.instance()
    assert instance.resources.duplicate_server_ids == (duplicate.id,)
    assert {volume.id for volume in instance.resources.volumes} == {"volume-1", "volume-2"}
    assert instance.status is Status.BOOTING
    assert report.servers == 2
    gone = Removed(
        kind=Kind.SERVER, id=duplicate.id, zone="zone-2", instance_id=stage.instance_id, reason=Reason.DUPLICATE
    )
    assert report.removed == (gone,)


async def test_the_volume_of_a_duplicate_whose_deletion_is_refused_goes_later_and_is_then_left_alone(
    stage: Stage, reconcile: Reconcile
) -> None:
    await stage.launched()
    await _server_of(stage, stage.instance_id)
    stage.provider.fail("delete_volume", TryAgain("rate_limited", "too many"), TryAgain("rate_limited", "too many"))
    assert (await reconcile()).errors
    assert (stage.provider.alive, list(stage.provider.volumes)) == (["server-1"], ["volume-1", "volume-2"])
    assert (await reconcile()).errors
    await reconcile()
    assert list(stage.provider.volumes) == ["volume-1"]
    calls = stage.provider.calls.count("delete_volume")
    await reconcile()
    assert stage.provider.calls.count("delete_volume") == calls


async def test_a_live_instance_without_a_recorded_server_is_never_touched(stage: Stage, reconcile: Reconcile) -> None:
    await stage.requested()
    await _server_of(stage, stage.instance_id)
    report = await reconcile(delete_unknown=True)
    assert stage.provider.alive == ["server-1"]
    assert await stage.told() == ["InstanceRequested"]
    assert not report.removed
    assert not report.unknown


async def test_a_live_instance_keeps_its_volume_and_its_group(stage: Stage, reconcile: Reconcile) -> None:
    await stage.launched()
    report = await reconcile(delete_unknown=True)
    assert list(stage.provider.volumes) == ["volume-1"]
    assert list(stage.provider.groups) == ["group-1"]
    assert not report.removed
    assert not report.unknown


async def test_a_server_that_is_being_released_is_left_to_its_release(
    stage: Stage, clock: Clock, reconcile: Reconcile
) -> None:
    await stage.launched()
    await stage.terminated()
    clock.passes(stage.settings.settle_seconds)
    report = await reconcile(delete_unknown=True)
    assert stage.provider.alive == ["server-1"]
    assert len(stage.provider.volumes) == len(stage.provider.groups) == 1
    assert report.removed == ()


async def test_what_is_kept_for_inspection_is_left(stage: Stage, clock: Clock, reconcile: Reconcile) -> None:
    await stage.launched(keep_for_inspection=True)
    await stage.happened(e.StartupFailed, attempt=1, code="startup_timeout", message="never loaded")
    clock.passes(stage.settings.settle_seconds)
    report = await reconcile(delete_unknown=True)
    assert stage.provider.alive == ["server-1"]
    assert len(stage.provider.volumes) == len(stage.provider.groups) == 1
    assert report.removed == ()


async def test_a_server_that_turns_up_after_the_end_goes_once_nobody_can_be_making_it(
    stage: Stage, clock: Clock, reconcile: Reconcile
) -> None:
    await _released(stage)
    late = await _server_of(stage, stage.instance_id)
    assert (await reconcile()).removed == ()
    assert stage.provider.alive == [late.id]
    clock.passes(stage.settings.settle_seconds)
    (removed,) = (await reconcile()).removed
    assert (removed.id, removed.reason) == (late.id, Reason.ENDED)
    assert stage.provider.empty


async def test_one_that_claims_an_ended_instance_is_told_to_its_release(
    stage: Stage, clock: Clock, reconcile: Reconcile
) -> None:
    """It failed before it had a server. The first one found is recorded as its own, which has it released."""
    await stage.requested()
    await stage.happened(e.ProvisioningFailed, action=Action.CREATE, code="out_of_stock", message="none")
    await stage.deliver(e.ProvisioningFailed)
    late = await _server_of(stage, stage.instance_id)
    clock.passes(stage.settings.settle_seconds)
    report = await reconcile()
    assert [removed.id for removed in report.removed] == [late.id]
    assert stage.provider.alive == [late.id]
    await stage.deliver(e.InstanceCreated)
    assert stage.provider.empty


async def test_volumes_and_groups_of_a_released_instance_go_once_nobody_can_be_making_them(
    stage: Stage, clock: Clock, reconcile: Reconcile
) -> None:
    await _released(stage)
    _leave(stage, stage.instance_id)
    assert (await reconcile()).removed == ()
    assert not stage.provider.empty
    clock.passes(stage.settings.settle_seconds)
    removed = (await reconcile()).removed
    assert {(each.kind, each.id) for each in removed} == {
        (Kind.VOLUME, "volume-late"),
        (Kind.SECURITY_GROUP, "group-late"),
    }
    assert {each.reason for each in removed} == {Reason.ENDED}
    assert stage.provider.empty


def _leave_snapshot(stage: Stage, owner: UUID) -> None:
    """Of a disk that became no machine image: whoever was storing it has crashed."""
    stage.provider.images.snapshots["snapshot-late"] = Snapshot("zone-1", "volume-1", owner, 20, time.monotonic())


async def test_a_snapshot_that_became_no_image_goes_once_its_builder_is_released(
    stage: Stage, clock: Clock, reconcile: Reconcile
) -> None:
    await stage.launched()
    _leave_snapshot(stage, stage.instance_id)
    assert (await reconcile()).removed == ()
    await stage.terminated()
    await stage.deliver(e.TerminationRequested)
    assert (await reconcile()).removed == ()
    clock.passes(stage.settings.settle_seconds)
    (removed,) = (await reconcile()).removed
    assert (removed.kind, removed.id, removed.reason) == (Kind.DISK_SNAPSHOT, "snapshot-late", Reason.ENDED)
    assert stage.provider.empty


async def test_a_snapshot_that_cannot_go_yet_is_left_to_the_next_reconciliation(
    stage: Stage, clock: Clock, reconcile: Reconcile
) -> None:
    await _released(stage)
    _leave_snapshot(stage, stage.instance_id)
    clock.passes(stage.settings.settle_seconds)
    stage.provider.images.snapshot_s = 3_600
    report = await reconcile()
    assert (report.removed, report.errors) == ((), ())
    stage.provider.images.snapshot_s = 0
    assert [removed.id for removed in (await reconcile()).removed] == ["snapshot-late"]


async def test_the_journal_is_read_again_right_before_each_deletion_of_a_snapshot(
    stage: Stage, clock: Clock, reconcile: Reconcile, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(context, "AT_ONCE", 1)
    await _released(stage)
    _leave_snapshot(stage, stage.instance_id)
    stage.provider.images.snapshots["snapshot-later"] = stage.provider.images.snapshots["snapshot-late"]
    clock.passes(stage.settings.settle_seconds)

    async def known_meanwhile() -> None:
        await stage.happened(e.SecurityGroupFound, server_id="server-1", security_group_id="group-late")

    stage.provider.after["delete_disk_snapshot"] = known_meanwhile
    report = await reconcile()
    assert [removed.id for removed in report.removed] == ["snapshot-late"]
    assert stage.provider.calls.count("delete_disk_snapshot") == 1


async def test_a_process_that_starts_long_afterwards_still_finds_it(stage: Stage, clock: Clock) -> None:
    await _released(stage)
    _leave(stage, stage.instance_id)
    clock.passes(30 * 86400)
    await a_reconcile(stage, clock)()
    assert stage.provider.empty


async def test_a_released_instance_costs_no_call_of_its_own(stage: Stage, clock: Clock, reconcile: Reconcile) -> None:
    await _released(stage)
    clock.passes(stage.settings.settle_seconds)
    await reconcile()
    assert stage.provider.calls == EVERY_LIST


async def test_what_could_not_be_removed_is_said_and_tried_again(
    stage: Stage, clock: Clock, reconcile: Reconcile
) -> None:
    await _released(stage)
    _leave(stage, stage.instance_id)
    clock.passes(stage.settings.settle_seconds)
    stage.provider.fail("release_network", TryAgain("cloud_error", "not now"))
    report = await reconcile()
    assert [removed.kind for removed in report.removed] == [Kind.VOLUME]
    assert report.errors == (f"network of {stage.instance_id}: cloud_error: not now",)
    assert not stage.provider.empty
    await reconcile()
    assert stage.provider.empty


@pytest.mark.parametrize(("call", "deleted"), [("tagged_resources", 0), ("delete_volume", 1)])
async def test_the_journal_is_read_again_right_before_each_deletion(
    stage: Stage, clock: Clock, reconcile: Reconcile, call: str, deleted: int
) -> None:
    await _released(stage)
    _leave(stage, stage.instance_id)
    clock.passes(stage.settings.settle_seconds)

    async def known_meanwhile() -> None:
        await stage.happened(e.SecurityGroupFound, server_id="server-1", security_group_id="group-late")

    stage.provider.after[call] = known_meanwhile
    await reconcile()
    assert stage.provider.calls.count("delete_volume") == deleted
    assert "release_network" not in stage.provider.calls
    await stage.deliver(e.SecurityGroupFound)
    assert stage.provider.empty


async def test_a_server_that_could_not_go_has_its_instance_released_once_more(
    stage: Stage, clock: Clock, reconcile: Reconcile
) -> None:
    await _released(stage)
    await _server_of(stage, stage.instance_id)
    _leave(stage, stage.instance_id)
    clock.passes(stage.settings.settle_seconds)
    stage.provider.fail("delete_server", TryAgain("conflict", "not yet"))
    report = await reconcile()
    assert report.removed == ()
    assert "delete_volume" not in stage.provider.calls
    await stage.deliver(e.InstanceCreated)
    assert stage.provider.empty


async def test_trouble_with_one_server_does_not_keep_the_next_one(stage: Stage, reconcile: Reconcile) -> None:
    await stage.launched()
    duplicates = [await _server_of(stage, stage.instance_id) for _ in range(2)]
    stage.provider.fail("delete_server", OSError("a surprise"))
    report = await reconcile()
    (removed,) = [removed.id for removed in report.removed]  # both at once: either may be the one that is deleted first
    (surprised,) = {duplicate.id for duplicate in duplicates} - {removed}
    assert report.errors == (f"server {surprised}: OSError: a surprise",)


async def test_a_server_on_a_live_instance_s_record_stays_whatever_its_tags_say(
    stage: Stage, clock: Clock, reconcile: Reconcile
) -> None:
    """Somebody has edited them, and they name an instance that has ended."""
    await _released(stage)
    ended, stage.instance_id = stage.instance_id, uuid4()
    await stage.launched()
    machine = stage.provider.machines["server-2"]
    machine.server = replace(machine.server, instance_id=ended)
    clock.passes(stage.settings.settle_seconds)
    report = await reconcile(delete_unknown=True)
    assert stage.provider.alive == ["server-2"]
    assert report.removed == ()
    assert [unknown.id for unknown in report.unknown] == ["server-2"]


@pytest.mark.parametrize("kind", sorted(set(Kind) - {Kind.SERVER}))
def test_only_servers_are_judged_as_duplicates(kind: Kind) -> None:
    live = given(facts.instance_requested(), facts.instance_created())
    resource = Resource(kind, "another", "fr-par-2", facts.INSTANCE_ID)
    assert reason_to_remove(live, resource, facts.AT + timedelta(days=1)) is None


@pytest.mark.parametrize("kind", Kind)
def test_nothing_is_removed_while_its_end_is_fresh(kind: Kind) -> None:
    ended = given(
        facts.instance_requested(),
        facts.termination_requested(),
        facts.instance_terminated(server_id=None),
    )
    resource = Resource(kind, "late", "fr-par-2", facts.INSTANCE_ID)
    assert ended.ended_at is not None
    assert reason_to_remove(ended, resource, ended.ended_at) is None
    assert reason_to_remove(ended, resource, ended.ended_at + timedelta(seconds=1)) is Reason.ENDED
