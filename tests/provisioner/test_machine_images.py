"""A launch boots from the machine image that fits best, and from the plain one when there is none that works."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from uuid import UUID, uuid4

import pytest

from services.provisioner.actions.machine_images import fitting
from services.provisioner.actions.store_image import arguments_label
from services.provisioner.provider import MachineImage, Rejected, TryAgain
from shared.lifecycle import events as e
from shared.lifecycle.status import Status
from tests.lifecycle import facts as f
from tests.lifecycle.facts import given
from tests.provisioner.stage import Stage
from tests.provisioner.test_store_image import SEALING, sealed

VLLM: Final = "vllm/vllm-openai:v0.32.0"
TYPE: Final = "L4-1-24G"
MODEL: Final = "Qwen/Qwen2.5-0.5B-Instruct"
COMMIT: Final = "a" * 40
AT: Final = datetime(2026, 1, 1, tzinfo=UTC)
WITH_MODEL: Final = {"type": TYPE, "vllm": VLLM, "model": MODEL, "commit": COMMIT}


class Killed(BaseException):
    pass


def an_image(name: str = "one", labels: dict[str, str] | None = None, **fields: Any) -> MachineImage:
    example = MachineImage(name, "zone-1", uuid4(), AT, 60, labels or {"type": TYPE, "vllm": VLLM}, available=True)
    return replace(example, **fields)


def chosen(*images: MachineImage, **wish: Any) -> list[str]:
    instance = given(f.instance_requested(**f.asked(**{"commit": COMMIT, **wish})))
    return [image.id for image in fitting(images, instance, "zone-1", TYPE, VLLM)]


def test_an_image_of_this_zone_type_and_vllm_fits() -> None:
    assert chosen(an_image()) == ["one"]
    assert not chosen(an_image(zone="zone-2"))
    assert not chosen(an_image(available=False))
    assert not chosen(an_image(labels={"type": "H100-1-80G", "vllm": VLLM}))
    assert not chosen(an_image(labels={"type": TYPE, "vllm": "vllm/vllm-openai:v0.31.0"}))
    assert not chosen(an_image(labels={"type": TYPE}))


def test_an_image_that_is_larger_than_the_volume_does_not_fit() -> None:
    assert chosen(an_image(size_gb=200), volume_gb=200) == ["one"]
    assert not chosen(an_image(size_gb=201), volume_gb=200)


def test_an_image_with_the_model_comes_first_then_the_newest() -> None:
    old, new = an_image("old"), an_image("new", created_at=AT + timedelta(days=1))
    with_model = an_image("model", WITH_MODEL, created_at=AT - timedelta(days=1))
    assert chosen(old, with_model, new) == ["model", "new", "old"]


def test_of_the_images_with_the_model_one_that_ran_it_with_the_same_arguments_comes_first() -> None:
    arguments = ("--max-model-len=8192",)
    same = an_image("same", {**WITH_MODEL, "arguments": arguments_label(arguments)})
    newer = an_image("newer", WITH_MODEL, created_at=AT + timedelta(days=1))
    assert chosen(same, newer, vllm_args=arguments) == ["same", "newer"]
    assert chosen(same, newer) == ["newer", "same"]


def test_an_image_with_another_model_or_commit_does_not_fit() -> None:
    assert not chosen(an_image(labels=WITH_MODEL | {"model": "another/model"}))
    assert not chosen(an_image(labels=WITH_MODEL | {"commit": "b" * 40}))
    assert not chosen(an_image(labels=WITH_MODEL), commit=None)


def test_an_image_that_has_failed_this_launch_is_not_tried_again() -> None:
    instance = given(f.instance_requested(), f.machine_image_unusable(image_id="one"))
    assert not fitting([an_image()], instance, "zone-1", TYPE, VLLM)


# With a cloud


@pytest.fixture
async def stage(stage: Stage) -> Stage:
    stage.with_settings(machine_images=True)
    return stage


async def built(stage: Stage, **wish: Any) -> tuple[Stage, str]:
    """Of a build that is over, and its image's id."""
    builder = replace(stage, instance_id=uuid4())
    builder.shell.outcomes.append(SEALING)
    await sealed(builder, **wish)
    await builder.deliver(e.MachineSealed)
    await builder.deliver(e.MachineImageStored)
    [stored] = await builder.events(e.MachineImageStored)
    return builder, stored.image_id


async def created(stage: Stage, **wish: Any) -> e.InstanceCreated:
    await stage.requested(**wish)
    await stage.deliver(e.InstanceRequested)
    [fact] = await stage.events(e.InstanceCreated)
    assert isinstance(fact, e.InstanceCreated)
    return fact


def image_of(stage: Stage, server_id: str) -> str | None:
    """That its server was ordered with."""
    return stage.provider.machines[server_id].order.machine_image


async def test_a_launch_boots_from_the_image_of_its_type(stage: Stage) -> None:
    _, image_id = await built(stage)
    fact = await created(stage)
    assert fact.machine_image == image_of(stage, fact.server_id) == image_id
    assert (await stage.told())[1:4] == ["SecurityGroupFound", "MachineImageChosen", "InstanceCreated"]


async def test_a_launch_whose_commit_was_not_found_at_its_admission_asks_once_more(stage: Stage) -> None:
    _, image_id = await built(stage, model=MODEL, commit=COMMIT)
    stage.weights.commits[MODEL, "main"] = COMMIT
    assert (await created(stage, model=MODEL, commit=None)).machine_image == image_id


async def test_the_choice_is_recorded_before_the_order(stage: Stage) -> None:
    await built(stage)

    async def look() -> None:
        assert (await stage.instance()).needed_images

    stage.provider.before["create_server"] = look
    await created(stage)


async def test_without_the_setting_or_the_capability_the_image_is_plain(stage: Stage) -> None:
    await built(stage)
    stage.with_settings(machine_images=False)
    assert (await created(stage)).machine_image is None
    other = replace(stage, instance_id=uuid4())
    other.with_settings(machine_images=True)
    stage.provider.capabilities = replace(stage.provider.capabilities, machine_images=False)
    assert (await created(other)).machine_image is None


async def test_a_build_itself_boots_from_the_plain_image(stage: Stage) -> None:
    await built(stage)
    builder, _ = await built(stage)
    [fact] = await builder.events(e.InstanceCreated)
    assert fact.machine_image is None


async def test_an_image_that_vanished_falls_back_to_the_plain_one_and_says_so(stage: Stage) -> None:
    _, image_id = await built(stage)

    async def vanish() -> None:
        stage.provider.images.break_image(image_id)

    stage.provider.before["create_server"] = vanish
    fact = await created(stage)
    assert fact.machine_image is image_of(stage, fact.server_id) is None
    [unusable] = await stage.events(e.MachineImageUnusable)
    assert unusable.image_id == image_id
    assert (await stage.instance()).status is Status.PROVISIONING


TIMED_OUT: Final = TryAgain("timed_out", "no answer within 8 s")


async def test_a_list_that_timed_out_once_is_asked_for_again(stage: Stage) -> None:
    _, image_id = await built(stage)
    stage.provider.fail("machine_images", TIMED_OUT)
    assert (await created(stage)).machine_image == image_id
    [delayed] = await stage.events(e.ActionDelayed)
    assert (delayed.code, delayed.reason) == (
        "machine_images_not_listed", "The provider did not list the machine images: no answer within 8 s",
    )  # fmt: skip
    assert not await stage.events(e.MachineImageUnusable)


async def test_a_launch_that_gets_no_list_in_its_tries_says_so_and_boots_from_the_plain_image(stage: Stage) -> None:
    await built(stage)
    stage.with_settings(machine_images=True, launch_tries=10)
    stage.provider.fail("machine_images", *[TIMED_OUT] * 4)
    assert (await created(stage)).machine_image is None
    [unusable] = await stage.events(e.MachineImageUnusable)
    assert unusable.image_id is None
    assert unusable.reason == "The provider did not list the machine images: no answer within 8 s"
    assert len(await stage.events(e.ActionDelayed)) == 3


async def test_the_list_takes_no_try_or_time_that_the_order_needs(stage: Stage) -> None:
    await built(stage)
    for tries, age_s in ((1, 0.0), (10, 1000.0)):
        launch = replace(stage, instance_id=uuid4())
        launch.with_settings(machine_images=True, launch_tries=tries)
        launch.provider.fail("machine_images", TIMED_OUT)
        await launch.requested()
        await launch.deliver(e.InstanceRequested, age_s=age_s)
        assert (await launch.told())[1:] == ["SecurityGroupFound", "MachineImageUnusable", "InstanceCreated"]


async def test_a_list_that_is_refused_is_not_asked_for_again(stage: Stage) -> None:
    await built(stage)
    stage.provider.fail("machine_images", Rejected("permission_denied", "not for this key"))
    assert (await created(stage)).machine_image is None
    assert [each.image_id for each in await stage.events(e.MachineImageUnusable)] == [None]
    assert not await stage.events(e.ActionDelayed)


async def test_an_image_with_the_model_is_told_of_if_the_hub_does_not_say_which_commit_is_loaded(stage: Stage) -> None:
    _, image_id = await built(stage, model=MODEL, commit=COMMIT)
    assert (await created(stage, model=MODEL, commit=None)).machine_image is None
    [unusable] = await stage.events(e.MachineImageUnusable)
    assert (unusable.image_id, unusable.reason) == (
        image_id, f"The hub did not say which commit of {MODEL} this launch loads.",
    )  # fmt: skip


async def test_a_retired_image_is_not_chosen(stage: Stage) -> None:
    builder, image_id = await built(stage)
    await builder.happened(e.MachineImageRetired, image_id=image_id, reason="requested")
    assert (await created(stage)).machine_image is None


async def test_an_image_whose_build_nobody_knows_is_not_chosen(stage: Stage) -> None:
    _, image_id = await built(stage)
    stored = stage.provider.images.stored[image_id]
    for strange in (None, UUID(int=7)):
        stored.image = replace(stored.image, builder_id=strange)
        assert (await created(replace(stage, instance_id=uuid4()))).machine_image is None


async def test_a_model_of_one_organisation_is_not_for_another(stage: Stage) -> None:
    mine, theirs = uuid4(), uuid4()
    _, image_id = await built(stage, model=MODEL, commit=COMMIT, organization_id=mine)
    wish = {"model": MODEL, "commit": COMMIT}
    assert (await created(stage, **wish, organization_id=theirs)).machine_image is None
    other = replace(stage, instance_id=uuid4())
    assert (await created(other, **wish, organization_id=mine)).machine_image == image_id


async def test_a_server_that_a_dead_holder_ordered_is_known_by_its_image(stage: Stage) -> None:
    _, image_id = await built(stage)
    await stage.requested()
    stage.provider.fail("create_server", Killed(), when="after")
    with pytest.raises(Killed):
        await stage.deliver(e.InstanceRequested)
    await stage.deliver(e.InstanceRequested, redelivered=True)
    [fact] = await stage.events(e.InstanceCreated)
    assert fact.machine_image == image_of(stage, fact.server_id) == image_id
