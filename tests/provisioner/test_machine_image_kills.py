"""A machine image is made and deleted by processes that die at every call: one image is left, and then none."""

from collections import Counter
from typing import Any, Final, Literal

import pytest

from shared.lifecycle import events as e
from shared.lifecycle.status import Status
from tests.provisioner.reconciling import Clock, a_reconcile
from tests.provisioner.stage import Stage
from tests.provisioner.test_store_image import COMMIT, LISTED, MODEL, SEALING, of_a_model

MAKING: Final = (
    e.InstanceRequested, e.InstanceCreated, e.VolumeResized, e.InstanceStarted, e.IpAssigned, e.SshReachable,
    e.MachineSealed, e.MachineImageStored,
)  # fmt: skip
OF_MAKING: Final = Counter(
    find_servers=2, make_security_group=1, create_server=1, get_server=5, grow_volume=1, power_on=1, open_ports=1,
    power_off=1, store_image=2, find_volumes=2, delete_server=1, delete_volume=2, release_network=2,
)  # fmt: skip
"""How often a process that lives through it makes each call at least, however fast the machine is."""
PLACES: Final = [(call, number) for call, most in OF_MAKING.items() for number in range(1, most + 1)]
RUNNING: Final = of_a_model("vLLM: Application startup complete.\n", "::warmed::\n")
OF_DELETING: Final = ("tagged_servers", "tagged_resources", "machine_images", "delete_machine_image")


class Killed(BaseException):
    pass


def kill(stage: Stage, call: str, number: int, when: Literal["before", "after"]) -> None:
    """At the `number`-th call of this name from now on."""
    lives: list[Any] = [("none", Exception())] * (number - 1)
    stage.provider.failing[call] = [*lives, (when, Killed())]


async def delivered(stage: Stage, kind: type[e.Event], clock: Clock) -> None:
    """To one process after the other, until one has done all of it. Reconciliation runs beside them."""
    redelivered = False
    while True:
        try:
            await stage.deliver(kind, redelivered=redelivered)
        except Killed:
            redelivered = True
            await a_reconcile(stage, clock)()
        else:
            return


async def made(stage: Stage, clock: Clock) -> None:
    """With a model that is run on its machine."""
    stage.shell.outcomes.append(RUNNING)
    stage.weights.lists = dict(LISTED)
    stage.provider.images.snapshot_s = 0.005
    await stage.requested(purpose="machine_image", model=MODEL, commit=COMMIT)
    for kind in MAKING:
        if kind is e.SshReachable:
            await stage.happened(e.SshReachable, attempt=1)
        await delivered(stage, kind, clock)


async def settled(stage: Stage, clock: Clock) -> None:
    """Three reconciliations, long enough after whatever happened."""
    stage.provider.failing.clear()
    for _ in range(3):
        clock.passes(10)
        await a_reconcile(stage, clock)()


async def check_one_is_left(stage: Stage) -> None:
    [stored] = await stage.events(e.MachineImageStored)
    assert [image.id for image in stage.provider.images.listed()] == [stored.image_id]
    assert len(stage.provider.images.snapshots) == 1
    assert not stage.provider.alive
    assert not stage.provider.volumes
    assert not stage.provider.groups
    assert (await stage.instance()).status is Status.TERMINATED
    assert (stored.model, stored.warmed, len(stage.shell.runs)) == (MODEL, True, 1)


async def test_a_process_that_lives_makes_each_of_these_calls(stage: Stage) -> None:
    await made(stage, Clock())
    await check_one_is_left(stage)
    assert Counter(stage.provider.calls) >= OF_MAKING


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize(("call", "number"), PLACES)
async def test_a_death_at_any_call_of_making_leaves_one_image(
    stage: Stage, call: str, number: int, when: Literal["before", "after"]
) -> None:
    clock = Clock()
    kill(stage, call, number, when)
    await made(stage, clock)
    assert not stage.provider.failing[call], "nobody was killed"
    await settled(stage, clock)
    await check_one_is_left(stage)


@pytest.mark.parametrize("heard", range(len(RUNNING.lines)))
async def test_a_death_while_the_machine_is_installed_runs_the_model_once_and_leaves_one_image(
    stage: Stage, heard: int
) -> None:
    clock = Clock()
    stage.shell.drop_after.append(heard)
    stage.shell.broken = Killed()
    await made(stage, clock)
    await settled(stage, clock)
    await check_one_is_left(stage)


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("call", OF_DELETING)
async def test_a_death_at_any_call_of_deleting_leaves_nothing(
    stage: Stage, call: str, when: Literal["before", "after"]
) -> None:
    clock = Clock()
    await made(stage, clock)
    [stored] = await stage.events(e.MachineImageStored)
    await stage.happened(e.MachineImageRetired, image_id=stored.image_id, reason="requested")
    clock.passes(10)
    kill(stage, call, 1, when)
    with pytest.raises(Killed):
        await a_reconcile(stage, clock)()
    for _ in range(15):
        clock.passes(10)
        await a_reconcile(stage, clock)()
    await settled(stage, clock)
    assert stage.provider.empty


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("call", ["power_off", "get_server", "store_image"])
async def test_a_death_while_the_build_is_terminated_leaves_nothing(
    stage: Stage, call: str, when: Literal["before", "after"]
) -> None:
    clock = Clock()
    stage.shell.outcomes.append(SEALING)
    await stage.launched(e.SshReachable, purpose="machine_image", model="")
    await stage.deliver(e.SshReachable)
    kill(stage, call, 1, when)
    with pytest.raises(Killed):
        await stage.deliver(e.MachineSealed)
    await stage.terminated()
    await delivered(stage, e.TerminationRequested, clock)
    await settled(stage, clock)
    assert stage.provider.empty
    assert not await stage.events(e.MachineImageStored)
