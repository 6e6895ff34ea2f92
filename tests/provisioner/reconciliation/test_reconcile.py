"""A whole round: one provider against the journal, its report, and what does not stop it."""

import asyncio
from dataclasses import replace
from uuid import UUID, uuid4

import pytest
from prometheus_client import REGISTRY
from structlog.testing import capture_logs

from services.provisioner.provider import Order, Resource, Server, TryAgain
from services.provisioner.reconciliation.known import KnownInstances
from services.provisioner.reconciliation.reconcile import Reconcile
from shared.lifecycle import events as e
from shared.lifecycle.status import Status
from shared.reconciliation import Foreign, Kind
from tests.provisioner.fake_provider import Group
from tests.provisioner.reconciling import EVERY_LIST, Clock, a_reconcile
from tests.provisioner.stage import Stage


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def reconcile(stage: Stage, clock: Clock) -> Reconcile:
    return a_reconcile(stage, clock)


async def _server_of(stage: Stage, instance_id: UUID) -> Server:
    made = await stage.provider.create_server(Order(instance_id, "another", "zone-2", "L4-1-24G", b""))
    assert isinstance(made, Server)
    return made


def _foreign_servers() -> float | None:
    return REGISTRY.get_sample_value("coldstart_foreign_servers", {"provider": "scaleway"})


async def _untagged(stage: Stage) -> Server:
    """Somebody has taken the instance's tag away."""
    server = await _server_of(stage, uuid4())
    machine = stage.provider.machines[server.id]
    machine.server = replace(machine.server, instance_id=None)
    return server


def _counted(kind: Kind) -> float | None:
    return REGISTRY.get_sample_value("coldstart_unknown_resources", {"provider": "scaleway", "kind": kind})


async def test_where_all_is_well_a_round_has_nothing_to_say(stage: Stage, reconcile: Reconcile) -> None:
    await stage.launched()
    told = await stage.told()
    report = await reconcile()
    assert report.provider == "scaleway"
    assert report.servers == 1
    assert report.began_at <= report.ended_at
    assert not any((report.removed, report.unknown, report.lost, report.stopped, report.expired, report.errors))
    assert await stage.told() == told


async def test_an_error_about_one_instance_does_not_keep_the_others(
    stage: Stage, clock: Clock, reconcile: Reconcile
) -> None:
    await stage.launched()
    duplicate = await _server_of(stage, stage.instance_id)
    stage.provider.fail("delete_server", TryAgain("conflict", "not yet"))
    stage.provider.lose("server-1")
    assert len((await reconcile()).errors) == 1
    assert stage.provider.alive == [duplicate.id]
    clock.passes(stage.settings.lost_after_seconds)
    await reconcile()
    assert stage.provider.alive == []
    assert (await stage.instance()).status is Status.FAILED


async def test_without_a_list_of_servers_nothing_is_judged_by_it(
    stage: Stage, clock: Clock, reconcile: Reconcile
) -> None:
    await stage.launched()
    for _ in range(2):
        stage.provider.fail("tagged_servers", TryAgain("cloud_error", "not now"))
        stage.provider.calls.clear()
        report = await reconcile(delete_unknown=True)
        assert report.errors == ("list of servers: cloud_error: not now",)
        assert stage.provider.calls == ["tagged_servers"]
        clock.passes(stage.settings.lost_after_seconds)


async def test_without_a_list_of_the_rest_servers_are_still_judged(stage: Stage, reconcile: Reconcile) -> None:
    await stage.launched()
    duplicate = await _server_of(stage, stage.instance_id)
    stage.provider.fail("tagged_resources", TryAgain("cloud_error", "not now"))
    report = await reconcile()
    assert [removed.id for removed in report.removed] == [duplicate.id]
    assert report.errors == ("list of volumes, disk snapshots, addresses and security groups: cloud_error: not now",)


async def test_servers_of_other_installations_are_shown_counted_and_left_alone(
    stage: Stage, reconcile: Reconcile
) -> None:
    stage.provider.foreign = [Foreign(id="theirs", zone="zone-1", installation=uuid4(), instance_id=uuid4())]
    report = await reconcile(delete_unknown=True)
    assert (list(report.foreign), report.removed, report.unknown) == (stage.provider.foreign, (), ())
    assert _foreign_servers() == 1
    stage.provider.foreign.clear()
    await reconcile()
    assert _foreign_servers() == 0


async def test_what_others_have_is_not_worth_a_round(stage: Stage, reconcile: Reconcile) -> None:
    await stage.launched()
    duplicate = await _server_of(stage, stage.instance_id)
    stage.provider.fail("foreign_servers", TryAgain("cloud_error", "not now"))
    report = await reconcile()
    assert [removed.id for removed in report.removed] == [duplicate.id]
    assert report.errors == ("list of other installations' servers: cloud_error: not now",)


async def test_without_a_journal_nothing_is_removed(stage: Stage, reconcile: Reconcile) -> None:
    await stage.launched()
    await _server_of(stage, stage.instance_id)
    stage.provider.calls.clear()
    await stage.connection.close()
    report = await reconcile(delete_unknown=True)
    assert len(report.errors) == 1
    assert report.errors[0].startswith("the journal: ")
    assert stage.provider.calls == ["tagged_servers"]


async def test_a_journal_that_is_lost_on_the_way_ends_the_round(stage: Stage, reconcile: Reconcile) -> None:
    stage.provider.groups = {f"stray-{number}": Group(uuid4(), "zone-1", 0.0) for number in range(2)}
    stage.provider.after["tagged_resources"] = stage.connection.close
    report = await reconcile(delete_unknown=True)
    assert len(report.errors) == 1
    assert report.errors[0].startswith("the journal: ")
    assert not report.unknown
    assert not report.removed


async def test_a_released_instance_is_no_longer_looked_at(stage: Stage) -> None:
    known = KnownInstances(stage.connection)
    reconcile = Reconcile(stage.journal, stage.provider, known, stage.settings)
    await stage.launched()
    await reconcile()
    assert await known.ids() == [stage.instance_id]
    await stage.terminated()
    await stage.deliver(e.TerminationRequested)
    await reconcile()
    assert await known.ids() == []


async def test_what_is_unknown_is_told_and_counted_and_left(stage: Stage, reconcile: Reconcile) -> None:
    unknown = await _server_of(stage, uuid4())
    untagged = await _untagged(stage)
    report = await reconcile()
    assert stage.provider.alive == [unknown.id, untagged.id]
    assert [(each.kind, each.id, each.zone) for each in report.unknown] == [
        (Kind.SERVER, unknown.id, "zone-2"),
        (Kind.SERVER, untagged.id, "zone-2"),
    ]
    assert [each.instance_id for each in report.unknown] == [unknown.instance_id, None]
    assert (_counted(Kind.SERVER), _counted(Kind.VOLUME)) == (2, 0)
    stage.provider.lose(unknown.id)
    await reconcile()
    assert _counted(Kind.SERVER) == 1


async def test_what_a_refused_order_may_have_left_is_told_and_never_deleted_even_by_command(
    stage: Stage, reconcile: Reconcile
) -> None:
    """A volume that an instance has on record is that instance's."""
    await stage.launched()
    (recorded,) = (await stage.instance()).resources.volumes
    left = Resource(Kind.VOLUME, "left", "zone-1", None)
    stage.provider.leftovers = [left, Resource(Kind.VOLUME, recorded.id, "zone-1", None)]
    stage.provider.calls.clear()
    report = await reconcile(delete_unknown=True)
    assert [(each.kind, each.id, each.zone, each.instance_id) for each in report.unknown] == [
        (Kind.VOLUME, "left", "zone-1", None)
    ]
    assert "out of stock" in report.unknown[0].hint
    assert (report.removed, "delete_volume" in stage.provider.calls, _counted(Kind.VOLUME)) == ((), False, 1)


async def test_a_list_of_leftovers_that_fails_is_an_error_of_the_report(stage: Stage, reconcile: Reconcile) -> None:
    stage.provider.fail("leftover_volumes", TryAgain("cloud_error", "not now"))
    stage.provider.foreign = [Foreign(id="theirs", zone="zone-1", installation=None, instance_id=None)]
    report = await reconcile()
    assert report.errors == ("list of leftover volumes: cloud_error: not now",)
    assert [each.id for each in report.foreign] == ["theirs"]


async def test_what_is_unknown_is_logged_once(stage: Stage, reconcile: Reconcile) -> None:
    server = await _untagged(stage)
    with capture_logs() as told:
        for _ in range(3):
            await reconcile()
    assert [entry["id"] for entry in told if entry["event"] == "unknown resource"] == [server.id]


async def test_rounds_do_not_overlap(stage: Stage, reconcile: Reconcile) -> None:
    listing, let_go = asyncio.Event(), asyncio.Event()

    async def hangs() -> None:
        listing.set()
        await let_go.wait()

    stage.provider.before["tagged_servers"] = hangs
    async with asyncio.timeout(120), asyncio.TaskGroup() as group:
        first = group.create_task(reconcile())
        await listing.wait()
        second = group.create_task(reconcile())
        await asyncio.sleep(0)
        assert stage.provider.calls == ["tagged_servers"]
        let_go.set()
    assert first.result().ended_at <= second.result().began_at
    assert stage.provider.calls == EVERY_LIST * 2


async def test_an_instance_whose_events_cannot_be_read_is_left_even_by_command(
    stage: Stage, reconcile: Reconcile
) -> None:
    """The event was written by a newer version, before somebody went back to this one."""
    newer = uuid4()
    await stage.connection.jetstream().publish(f"journal.{newer}.{e.InstanceRequested.__name__}", b"{}")
    server = await _server_of(stage, newer)
    report = await reconcile(delete_unknown=True)
    assert stage.provider.alive == [server.id]
    assert [each.id for each in report.unknown] == [server.id]
    assert "version" in report.unknown[0].hint
    assert report.errors == (f"instance {newer}: none of its events can be read",)
