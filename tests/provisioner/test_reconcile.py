"""Reconciliation: takes away what nobody owns, says what is lost, touches nothing else."""

import asyncio
from dataclasses import replace
from uuid import UUID, uuid4

import pytest
from structlog.testing import capture_logs

from services.provisioner.known import KnownInstances
from services.provisioner.provider import Order, Server, TryAgain
from services.provisioner.reconcile import Reconcile
from shared.lifecycle import events as e
from shared.lifecycle.status import Status
from tests.provisioner.fake_provider import Delays
from tests.provisioner.stage import Stage


@pytest.fixture
def reconcile(stage: Stage) -> Reconcile:
    known = KnownInstances(stage.connection)
    return Reconcile(stage.journal, stage.provider, known, stage.settings)


async def _server_of(stage: Stage, instance_id: UUID) -> Server:
    made = await stage.provider.create_server(Order(instance_id, "another", "zone-2", "L4-1-24G", b""))
    assert isinstance(made, Server)
    return made


async def test_a_duplicate_goes_with_its_volume_and_the_owner_stays(stage: Stage, reconcile: Reconcile) -> None:
    await stage.launched()
    duplicate = await _server_of(stage, stage.instance_id)
    await stage.provider.power_on("zone-2", duplicate.id)
    await reconcile()
    assert stage.provider.alive == ["server-1"]
    assert list(stage.provider.volumes) == ["volume-1"]
    instance = await stage.instance()
    assert instance.resources.duplicate_server_ids == (duplicate.id,)
    assert {volume.id for volume in instance.resources.volumes} == {"volume-1", "volume-2"}
    assert instance.status is Status.BOOTING


async def test_a_live_instance_without_a_recorded_server_is_never_touched(stage: Stage, reconcile: Reconcile) -> None:
    await stage.requested()
    await _server_of(stage, stage.instance_id)
    await reconcile()
    assert stage.provider.alive == ["server-1"]
    assert await stage.told() == ["InstanceRequested"]


async def test_a_server_of_an_unknown_instance_is_left_to_people(stage: Stage, reconcile: Reconcile) -> None:
    await _server_of(stage, uuid4())
    await reconcile()
    assert stage.provider.alive == ["server-1"]


async def test_a_server_that_is_being_released_is_left_to_its_release(stage: Stage, reconcile: Reconcile) -> None:
    await stage.launched()
    await stage.terminated()
    await reconcile()
    assert stage.provider.alive == ["server-1"]


async def test_a_server_kept_for_inspection_is_left(stage: Stage, reconcile: Reconcile) -> None:
    await stage.launched(keep_for_inspection=True)
    await stage.happened(e.StartupFailed, attempt=1, code="startup_timeout", message="never loaded")
    await reconcile()
    assert stage.provider.alive == ["server-1"]


async def test_what_turns_up_after_the_end_goes_once_it_cannot_be_in_flight(stage: Stage, reconcile: Reconcile) -> None:
    await stage.launched()
    await stage.terminated()
    await stage.deliver(e.TerminationRequested)
    late = await _server_of(stage, stage.instance_id)
    await reconcile()
    assert stage.provider.alive == [late.id]
    await asyncio.sleep(stage.settings.settle_seconds)
    await reconcile()
    assert stage.provider.alive == []
    assert "volume-2" not in stage.provider.volumes


async def test_a_creation_that_is_recorded_meanwhile_saves_its_server(stage: Stage, reconcile: Reconcile) -> None:
    """The list is old by the time it is acted on: the journal is read again right before deleting."""
    await stage.requested()
    await stage.terminated()
    await stage.deliver(e.TerminationRequested)
    await asyncio.sleep(stage.settings.settle_seconds)
    late = await _server_of(stage, stage.instance_id)
    await reconcile()
    await stage.deliver(e.InstanceCreated)
    assert late.id not in stage.provider.alive
    assert stage.provider.empty


async def test_a_server_is_lost_after_two_gets_a_while_apart(stage: Stage, reconcile: Reconcile) -> None:
    await stage.launched()
    stage.provider.lose("server-1")
    await reconcile()
    assert (await stage.instance()).status is Status.BOOTING
    await reconcile()
    assert (await stage.instance()).status is Status.BOOTING
    await asyncio.sleep(stage.settings.lost_after_seconds)
    await reconcile()
    instance = await stage.instance()
    assert instance.status is Status.FAILED
    assert instance.error is not None
    assert instance.error.code == "server_lost"


async def test_one_wrong_answer_loses_nothing(stage: Stage, reconcile: Reconcile) -> None:
    await stage.launched()
    stage.provider.delays = Delays(tags=60)
    machine = stage.provider.machines.pop("server-1")
    await reconcile()
    stage.provider.machines["server-1"] = machine
    await asyncio.sleep(stage.settings.lost_after_seconds)
    await reconcile()
    stage.provider.machines.pop("server-1")
    await reconcile()
    assert "ServerLost" not in await stage.told()


async def test_a_server_that_is_only_missing_from_the_list_is_not_lost(stage: Stage, reconcile: Reconcile) -> None:
    stage.provider.delays = Delays(tags=60)
    await stage.launched()
    await reconcile()
    await asyncio.sleep(stage.settings.lost_after_seconds)
    await reconcile()
    assert "ServerLost" not in await stage.told()


async def test_an_ending_instance_loses_nothing(stage: Stage, reconcile: Reconcile) -> None:
    await stage.launched()
    await stage.terminated()
    stage.provider.lose("server-1")
    await reconcile()
    await asyncio.sleep(stage.settings.lost_after_seconds)
    await reconcile()
    assert "ServerLost" not in await stage.told()


async def test_an_error_about_one_instance_does_not_keep_the_others(stage: Stage, reconcile: Reconcile) -> None:
    await stage.launched()
    duplicate = await _server_of(stage, stage.instance_id)
    stage.provider.fail("delete_server", TryAgain("conflict", "not yet"))
    stage.provider.lose("server-1")
    await reconcile()
    assert stage.provider.alive == [duplicate.id]
    await asyncio.sleep(stage.settings.lost_after_seconds)
    await reconcile()
    assert stage.provider.alive == []
    assert (await stage.instance()).status is Status.FAILED


async def test_known_instances_are_read_on_from_where_the_last_reading_stopped(stage: Stage) -> None:
    known = KnownInstances(stage.connection)
    assert await known.ids() == []
    await stage.launched(until=e.InstanceCreated)
    assert await known.ids() == [stage.instance_id]
    known.forget(stage.instance_id)
    assert await known.ids() == []


async def test_a_subject_without_an_instance_s_id_does_not_keep_others_from_being_known(stage: Stage) -> None:
    await stage.connection.jetstream().publish("journal.nobody.InstanceCreated", b"{}")
    await stage.launched(until=e.InstanceCreated)
    assert await KnownInstances(stage.connection).ids() == [stage.instance_id]


async def test_a_server_whose_tags_name_no_instance_is_told_of_and_left(stage: Stage, reconcile: Reconcile) -> None:
    server = await _server_of(stage, stage.instance_id)
    machine = stage.provider.machines[server.id]
    machine.server = replace(machine.server, instance_id=None)
    with capture_logs() as told:
        await reconcile()
    assert [entry["server_id"] for entry in told if entry["log_level"] == "warning"] == [server.id]
    assert stage.provider.alive == [server.id]
