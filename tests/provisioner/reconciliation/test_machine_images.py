"""A machine image is retired by rule or by a person, and deleted once no launch needs it. Nothing else deletes one."""

from dataclasses import replace
from datetime import timedelta
from typing import Any, Final
from uuid import UUID, uuid4

import pytest

from services.provisioner.provider import TryAgain
from services.provisioner.reconciliation.image_rebuilds import rebuild_of
from services.provisioner.reconciliation.known import KnownInstances
from services.provisioner.reconciliation.machine_images import SUPERSEDED, TOO_OLD, UNANSWERED, reason_to_retire
from services.provisioner.reconciliation.reconcile import Reconcile
from shared.lifecycle import events as e
from shared.lifecycle.instance import Instance
from shared.lifecycle.wish import Wish
from shared.reconciliation import Kind, Reason, Report
from tests.lifecycle import facts as f
from tests.lifecycle import histories as h
from tests.lifecycle.facts import given
from tests.provisioner.reconciling import Clock, a_reconcile
from tests.provisioner.stage import Stage
from tests.provisioner.test_machine_images import built
from tests.provisioner.test_store_image import SEALING, sealed

DAY: Final = 86_400.0
LONG: Final = timedelta(days=90)
TIMEOUT: Final = {"code": "startup_timeout"}


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def reconcile(stage: Stage, clock: Clock) -> Reconcile:
    stage.with_settings(machine_images=True)
    return a_reconcile(stage, clock)


def a_build(days: float, owner: UUID | None = None, **image: Any) -> Instance:
    at = f.AT + timedelta(days=days)
    history = h.a_sealed_machine(organization_id=owner)
    return given(*history, f.machine_image_stored(occurred_at=at, **image))


def ran_with(argument: str, days: float, **image: Any) -> Instance:
    history = h.a_sealed_machine(model="a/b", vllm_args=(argument,))
    stored = f.machine_image_stored(occurred_at=f.AT + timedelta(days=days), image_id=argument, model="a/b", **image)
    return given(*history, stored)


def images_removed(report: Report) -> list[tuple[str, Reason]]:
    return [(each.id, each.reason) for each in report.removed if each.kind is Kind.MACHINE_IMAGE]


def there(stage: Stage) -> list[str]:
    return [image.id for image in stage.provider.images.listed()]


# The rules


def test_an_image_is_retired_for_its_age() -> None:
    build = a_build(0)
    assert reason_to_retire(build, [build], f.AT + LONG, LONG) is None
    assert reason_to_retire(build, [build], f.AT + LONG + timedelta(seconds=1), LONG) == TOO_OLD


def test_a_newer_image_of_the_same_place_supersedes_it() -> None:
    old, new = a_build(0), a_build(1, image_id="new", vllm_image="vllm/vllm-openai:v0.33.0")
    assert reason_to_retire(old, [old, new], f.AT + timedelta(days=2), LONG) == SUPERSEDED
    assert reason_to_retire(new, [old, new], f.AT + timedelta(days=2), LONG) is None


@pytest.mark.parametrize(
    "new",
    [
        a_build(1, image_id="new", zone="fr-par-1"),
        a_build(1, image_id="new", instance_type="H100-1-80G"),
        a_build(1, image_id="new", model="another/model"),
    ],
)
def test_an_image_of_another_zone_type_or_model_does_not(new: Instance) -> None:
    old = a_build(0)
    assert reason_to_retire(old, [old, new], f.AT + timedelta(days=2), LONG) is None


def test_an_image_whose_model_was_run_with_other_arguments_does_not() -> None:
    old, new = ran_with("--seed=1", 0), ran_with("--seed=2", 1)
    assert reason_to_retire(old, [old, new], f.AT + timedelta(days=2), LONG) is None


def test_an_image_with_the_model_of_another_organisation_does_not() -> None:
    old, new = a_build(0, uuid4(), model="a/b"), a_build(1, uuid4(), image_id="new", model="a/b")
    assert reason_to_retire(old, [old, new], f.AT + timedelta(days=2), LONG) is None


def test_a_retired_one_supersedes_nothing() -> None:
    at = f.AT + timedelta(days=1)
    stored = f.machine_image_stored(occurred_at=at, image_id="new")
    old, new = a_build(0), given(*h.a_sealed_machine(), stored, f.machine_image_retired(image_id="new"))
    assert reason_to_retire(old, [old, new], at, LONG) is None


# With a cloud


async def test_an_image_that_is_wanted_stays(stage: Stage, reconcile: Reconcile) -> None:
    _, image_id = await built(stage)
    assert not (await reconcile()).removed
    assert there(stage) == [image_id]


async def test_a_superseded_image_is_retired_and_then_deleted_and_told(
    stage: Stage, reconcile: Reconcile, clock: Clock
) -> None:
    first, old = await built(stage)
    second, new = await built(stage)
    assert not images_removed(await reconcile())
    [retired] = await first.events(e.MachineImageRetired)
    assert (retired.image_id, retired.reason) == (old, SUPERSEDED)
    clock.passes(10)
    assert images_removed(await reconcile()) == [(old, Reason.RETIRED)]
    assert there(stage) == [new]
    [deleted] = await first.events(e.MachineImageDeleted)
    assert deleted.reason == SUPERSEDED
    assert not await second.events(e.MachineImageRetired, e.MachineImageDeleted)
    assert not images_removed(await reconcile())


async def test_an_image_whose_disk_snapshot_is_in_use_for_a_while_is_told_once_that_is_gone_with_its_own_reason(
    stage: Stage, reconcile: Reconcile, clock: Clock
) -> None:
    builder, image_id = await built(stage)
    await builder.happened(e.MachineImageRetired, image_id=image_id, reason="requested")
    clock.passes(10)
    stage.provider.images.held_s = DAY
    assert not images_removed(await reconcile())
    assert not there(stage)
    assert not await builder.events(e.MachineImageDeleted)
    stage.provider.images.held_s = 0
    assert images_removed(await reconcile()) == [(image_id, Reason.RETIRED)]
    assert [event.reason for event in await builder.events(e.MachineImageDeleted)] == ["requested"]
    assert stage.provider.empty


async def test_an_image_becomes_too_old(stage: Stage, reconcile: Reconcile, clock: Clock) -> None:
    builder, _ = await built(stage)
    clock.passes(91 * DAY)
    await reconcile()
    clock.passes(10)
    assert len(images_removed(await reconcile())) == 1
    assert [event.reason for event in await builder.events(e.MachineImageDeleted)] == [TOO_OLD]


async def a_launch(stage: Stage, until: type[e.Event], **failed: Any) -> None:
    """From the image that there is, and it is over."""
    launch = replace(stage, instance_id=uuid4())
    await launch.launched(until)
    if failed:
        await launch.happened(e.StartupFailed, attempt=1, message="SSH did not answer.", **failed)
    else:
        await launch.terminated()
    await launch.deliver(e.StartupFailed if failed else e.TerminationRequested)
    assert (await launch.instance()).machine_image is not None


async def test_an_image_whose_last_two_servers_never_answered_is_retired_and_told(
    stage: Stage, reconcile: Reconcile, clock: Clock
) -> None:
    builder, _ = await built(stage)
    for until, failed in ((e.SshReachable, {}), (e.IpAssigned, TIMEOUT)):
        await a_launch(stage, until, **failed)
        await reconcile()
    assert not await builder.events(e.MachineImageRetired)
    await a_launch(stage, e.IpAssigned, **TIMEOUT)
    await reconcile()
    assert [event.reason for event in await builder.events(e.MachineImageRetired)] == [UNANSWERED]
    clock.passes(10)
    assert len(images_removed(await reconcile())) == 1


async def test_a_reconciliation_that_begins_anew_knows_which_servers_never_answered(stage: Stage) -> None:
    stage.with_settings(machine_images=True)
    builder, _ = await built(stage)
    for _ in range(2):
        await a_launch(stage, e.IpAssigned, **TIMEOUT)
    await a_reconcile(stage)()
    assert [event.reason for event in await builder.events(e.MachineImageRetired)] == [UNANSWERED]


@pytest.mark.parametrize(
    ("until", "failed"),
    [(e.SshReachable, {}), (e.SshReachable, TIMEOUT), (e.IpAssigned, {}), (e.IpAssigned, {"code": "worker_failed"})],
)
async def test_an_image_of_which_a_server_answered_or_was_not_waited_for_stays(
    stage: Stage, reconcile: Reconcile, until: type[e.Event], failed: dict[str, str]
) -> None:
    builder, _ = await built(stage)
    await a_launch(stage, e.IpAssigned, **TIMEOUT)
    await a_launch(stage, until, **failed)
    await reconcile()
    assert not await builder.events(e.MachineImageRetired)


async def test_no_image_is_deleted_that_a_launch_has_chosen_and_not_started_from(
    stage: Stage, reconcile: Reconcile, clock: Clock
) -> None:
    builder, image_id = await built(stage)
    await stage.launched(e.IpAssigned)
    assert (await stage.instance()).machine_image == image_id
    await builder.happened(e.MachineImageRetired, image_id=image_id, reason="requested")
    clock.passes(10)
    assert not images_removed(await reconcile())
    await stage.happened(e.SshReachable, attempt=1)
    assert images_removed(await reconcile()) == [(image_id, Reason.RETIRED)]


async def test_an_image_that_is_retired_while_a_launch_orders_with_it_is_kept_for_it(
    stage: Stage, clock: Clock
) -> None:
    stage.with_settings(machine_images=True)
    builder, image_id = await built(stage)

    async def retire() -> None:
        await builder.happened(e.MachineImageRetired, image_id=image_id, reason="requested")
        clock.passes(10)
        assert not images_removed(await a_reconcile(stage, clock)())

    stage.provider.before["create_server"] = retire
    await stage.launched(e.InstanceCreated)
    assert (await stage.instance()).machine_image == image_id
    assert there(stage) == [image_id]


async def test_nothing_is_deleted_while_an_instance_cannot_be_read(
    stage: Stage, reconcile: Reconcile, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    builder, image_id = await built(stage)
    await builder.happened(e.MachineImageRetired, image_id=image_id, reason="requested")
    await stage.requested()
    clock.passes(10)
    load = stage.journal.load

    async def unreadable(instance_id: UUID, **options: Any) -> Any:
        if instance_id == stage.instance_id:
            raise ValueError("an event of a newer version")
        return await load(instance_id, **options)

    monkeypatch.setattr(stage.journal, "load", unreadable)
    assert not images_removed(await reconcile())
    assert there(stage) == [image_id]


async def test_an_image_of_a_build_that_ended_without_it_is_deleted_once_that_is_settled(
    stage: Stage, reconcile: Reconcile, clock: Clock
) -> None:
    builder = replace(stage, instance_id=uuid4())
    builder.shell.outcomes.append(SEALING)
    await sealed(builder)
    builder.provider.after["store_image"] = builder.terminated
    await builder.deliver(e.MachineSealed)
    await builder.deliver(e.TerminationRequested)
    assert len(there(stage)) == 1
    assert not images_removed(await reconcile())
    clock.passes(10)
    assert [reason for _, reason in images_removed(await reconcile())] == [Reason.ENDED]
    assert stage.provider.empty


async def test_an_image_that_is_being_stored_stays(stage: Stage, reconcile: Reconcile, clock: Clock) -> None:
    builder = replace(stage, instance_id=uuid4())
    builder.shell.outcomes.append(SEALING)
    await sealed(builder)
    server = stage.provider.machines[stage.provider.alive[0]].server
    await stage.provider.power_off(server.zone, server.id)
    assert await stage.provider.store_image(server.zone, server.id, builder.instance_id, "x", {})
    clock.passes(DAY)
    assert not images_removed(await reconcile())


async def test_an_image_whose_build_nobody_knows_is_only_shown(stage: Stage, reconcile: Reconcile) -> None:
    _, image_id = await built(stage)
    stored = stage.provider.images.stored[image_id]
    for strange in (None, UUID(int=7)):
        stored.image = replace(stored.image, builder_id=strange)
        report = await reconcile(delete_unknown=True)
        assert [(each.kind, each.id) for each in report.unknown] == [(Kind.MACHINE_IMAGE, image_id)]
        assert there(stage) == [image_id]


async def test_an_image_that_somebody_deleted_is_told_after_two_looks(
    stage: Stage, reconcile: Reconcile, clock: Clock
) -> None:
    builder, image_id = await built(stage)
    stage.provider.images.delete_image("zone-1", image_id)
    clock.passes(10)
    await reconcile()
    assert not await builder.events(e.MachineImageDeleted)
    clock.passes(10)
    assert not images_removed(await reconcile())
    assert [event.reason for event in await builder.events(e.MachineImageDeleted)] == ["vanished"]


@pytest.mark.parametrize("when", ["before", "after"])
async def test_a_deletion_that_fails_is_tried_again(
    stage: Stage, reconcile: Reconcile, clock: Clock, when: Any
) -> None:
    builder, image_id = await built(stage)
    await builder.happened(e.MachineImageRetired, image_id=image_id, reason="requested")
    clock.passes(10)
    stage.provider.fail("delete_machine_image", TryAgain("busy", "try later"), when=when)
    assert (await reconcile()).errors
    assert not await builder.events(e.MachineImageDeleted)
    clock.passes(10)
    await reconcile()
    clock.passes(10)
    await reconcile()
    assert stage.provider.empty
    assert len(await builder.events(e.MachineImageDeleted)) == 1


# A new vLLM image

NEWER: Final = "vllm/vllm-openai:v0.33.0"
LATER: Final = f.AT + timedelta(hours=2)


def test_an_image_is_built_anew_once_the_vllm_image_has_changed_for_a_while() -> None:
    build = a_build(0)
    assert rebuild_of(build, [build], NEWER, LATER) == rebuild_of(build, [build], NEWER, LATER) is not None
    assert rebuild_of(build, [build], NEWER, f.AT + timedelta(minutes=59)) is None
    assert rebuild_of(build, [build], "vllm/vllm-openai:v0.32.0", LATER) is None


def test_an_image_that_has_a_newer_one_beside_it_is_not_built_anew() -> None:
    build, newer = a_build(0), a_build(0, image_id="new", vllm_image=NEWER)
    assert rebuild_of(build, [build, newer], NEWER, LATER) is None
    elsewhere = a_build(0, image_id="new", vllm_image=NEWER, zone="fr-par-1")
    assert rebuild_of(build, [build, elsewhere], NEWER, LATER) is not None


def test_an_image_beside_which_the_newer_one_ran_its_model_with_other_arguments_is_built_anew() -> None:
    build, other = ran_with("--seed=1", 0), ran_with("--seed=2", 0, vllm_image=NEWER)
    same = ran_with("--seed=1", 0, vllm_image=NEWER)
    assert rebuild_of(build, [build, other], NEWER, LATER) is not None
    assert rebuild_of(build, [build, same], NEWER, LATER) is None


def test_an_image_of_an_organisation_or_with_a_chosen_vllm_image_is_not_built_anew() -> None:
    theirs = a_build(0, uuid4())
    named = given(*h.a_sealed_machine(image="vllm/vllm-openai:v0.32.0"), f.machine_image_stored())
    retired = given(*h.a_sealed_machine(), f.machine_image_stored(), f.machine_image_retired())
    assert [rebuild_of(each, [each], NEWER, LATER) for each in (theirs, named, retired)] == [None] * 3


async def test_a_build_follows_of_itself_and_only_once(stage: Stage, reconcile: Reconcile, clock: Clock) -> None:
    builder, _ = await built(stage)
    clock.passes(2 * 3600)
    await reconcile()
    ids = [await known(stage)]
    stage.with_settings(machine_images=True, vllm_image=NEWER)
    for _ in range(2):
        await a_reconcile(stage, clock)()
        ids.append(await known(stage))
    assert [len(each) for each in ids] == [1, 2, 2]
    [again] = ids[-1] - ids[0]
    instance = await stage.journal.load(again)
    assert instance.specification == builder_wish(await builder.instance())


async def test_without_the_setting_nothing_is_built_anew(stage: Stage, clock: Clock) -> None:
    await built(stage)
    clock.passes(2 * 3600)
    stage.with_settings(machine_images=False, vllm_image=NEWER)
    await a_reconcile(stage, clock)()
    assert len(await known(stage)) == 1


async def known(stage: Stage) -> set[UUID]:
    return {*await KnownInstances(stage.connection).ids()}


def builder_wish(build: Instance) -> Wish:
    """In the zone of its image."""
    return build.specification.model_copy(update={"zones": ("zone-1",)})
