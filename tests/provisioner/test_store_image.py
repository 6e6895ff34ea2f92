"""A sealed machine's disk becomes a machine image once, however often and by however many it is stored."""

import asyncio
from dataclasses import replace
from typing import Any, Final
from uuid import uuid4

import pytest

from services.provisioner.actions.store_image import arguments_label
from services.provisioner.install.script import PHASES, SEAL, WARM
from services.provisioner.provider import Rejected, TryAgain
from services.provisioner.weights.source import WeightsFile, WeightsList
from shared.bus.lease import LeaseLost
from shared.lifecycle import events as e
from shared.lifecycle.status import Status
from tests.provisioner.fake_shell import Outcome
from tests.provisioner.stage import Stage, a_lease

MODEL: Final = "Qwen/Qwen2.5-0.5B-Instruct"
COMMIT: Final = "a" * 40
LISTED: Final = {(MODEL, COMMIT): WeightsList(COMMIT, (WeightsFile("config.json", 2, "blob", "https://hub.test/1"),))}
SEALING: Final = Outcome(tuple(f"::phase::{name}\n" for name in (*PHASES[:-1], SEAL)))


def of_a_model(*said: str) -> Outcome:
    """Of an install that says this after it has run the model."""
    begun = [f"::phase::{name}\n" for name in (*PHASES[:-1], WARM)]
    return Outcome((*begun, *said, f"::phase::{SEAL}\n"))


@pytest.fixture
def stage(stage: Stage) -> Stage:
    stage.shell.outcomes.append(SEALING)
    return stage


async def sealed(stage: Stage, **wish: Any) -> None:
    stage.weights.lists = dict(LISTED)
    await stage.launched(e.SshReachable, **{"purpose": "machine_image", "model": "", **wish})
    await stage.deliver(e.SshReachable)


async def stored(stage: Stage) -> list[e.MachineImageStored]:
    return await stage.events(e.MachineImageStored)


async def test_a_machine_is_installed_and_sealed_and_no_worker_is_started(stage: Stage) -> None:
    await sealed(stage)
    phases = [(event.phase, event.index) for event in await stage.events(e.SshInstallPhaseReached)]
    assert phases == [(name, number) for number, name in enumerate((*PHASES[:-1], SEAL), start=1)]
    instance = await stage.instance()
    assert (instance.status, instance.step) == (Status.INSTALLING, "MachineSealed")
    assert not await stage.events(e.SshInstallCompleted)


async def test_no_secret_of_a_worker_reaches_a_machine_that_is_sealed(stage: Stage) -> None:
    await sealed(stage)
    [received] = stage.shell.received
    certificates = stage.secrets.worker_certificates(stage.instance_id, 1)
    host_key = stage.secrets.host_key(stage.instance_id, 1).private.splitlines()[-2]
    for secret in (stage.secrets.worker_api_key(stage.instance_id, 1), certificates.worker.private_key, host_key):
        assert secret.encode() not in received


async def test_a_sealed_machine_is_powered_off_and_stored(stage: Stage) -> None:
    await sealed(stage)
    await stage.deliver(e.MachineSealed)
    [fact] = await stored(stage)
    [image] = stage.provider.images.listed()
    assert (fact.image_id, fact.zone, fact.size_gb) == (image.id, image.zone, image.size_gb)
    assert image.labels == {"type": "L4-1-24G", "vllm": fact.vllm_image}
    assert image.builder_id == stage.instance_id
    assert (await stage.instance()).status is Status.TERMINATING


async def test_an_image_says_which_model_is_on_it(stage: Stage) -> None:
    await sealed(stage, model=MODEL, commit="a" * 40, image="vllm/vllm-openai:v0.31.0")
    await stage.deliver(e.MachineSealed)
    [image] = stage.provider.images.listed()
    [fact] = await stored(stage)
    assert image.labels == {
        "type": "L4-1-24G", "vllm": "vllm/vllm-openai:v0.31.0", "model": MODEL, "commit": "a" * 40,
        "arguments": arguments_label(()),
    }  # fmt: skip
    assert (fact.model, fact.commit, fact.vllm_image) == (MODEL, "a" * 40, "vllm/vllm-openai:v0.31.0")


async def test_a_commit_that_the_admission_did_not_find_is_the_one_that_the_machine_has_fetched(stage: Stage) -> None:
    stage.weights.commits[MODEL, "main"] = COMMIT
    stage.shell.outcomes.clear()
    stage.shell.outcomes.append(of_a_model(f"::commit::{COMMIT}\n", "::warmed::\n"))
    await sealed(stage, model=MODEL, commit=None)
    stage.weights.commits.clear()
    await stage.deliver(e.MachineSealed)
    [image] = stage.provider.images.listed()
    [fact] = await stored(stage)
    assert fact.commit == image.labels["commit"] == COMMIT


async def test_an_image_says_for_which_arguments_its_model_was_run(stage: Stage) -> None:
    await sealed(stage, model=MODEL, commit=COMMIT, vllm_args=("--max-model-len=8192",))
    await stage.deliver(e.MachineSealed)
    [image] = stage.provider.images.listed()
    assert image.labels["arguments"] == arguments_label(("--max-model-len=8192",)) != arguments_label(())


@pytest.mark.parametrize(
    ("said", "warmed", "reason"),
    [
        (("::warmed::\n",), True, None),
        (("::not_warmed::it did not serve within 900 s\n",), False, "it did not serve within 900 s"),
        ((), None, None),
    ],
)
async def test_an_image_says_whether_its_model_was_run_and_why_not(
    stage: Stage, said: tuple[str, ...], warmed: bool | None, reason: str | None
) -> None:
    stage.shell.outcomes.clear()
    stage.shell.outcomes.append(of_a_model(*said))
    await sealed(stage, model=MODEL, commit=COMMIT)
    await stage.deliver(e.MachineSealed)
    [fact] = await stored(stage)
    assert (fact.warmed, fact.not_warmed_because) == (warmed, reason)
    image = (await stage.instance()).stored_image
    assert image is not None
    assert (image.warmed, image.not_warmed_because) == (warmed, reason)
    phases = [event.phase for event in await stage.events(e.SshInstallPhaseReached)]
    assert phases == [*PHASES[:-1], WARM, SEAL]


async def test_whoever_hears_the_end_of_the_install_hears_whether_the_model_was_run(stage: Stage) -> None:
    stage.shell.outcomes.clear()
    stage.shell.outcomes.append(of_a_model("::not_warmed::no room\n"))
    stage.shell.drop_after.append(len(PHASES) + 1)
    await sealed(stage, model=MODEL, commit=COMMIT)
    [fact] = await stage.events(e.MachineSealed)
    assert (len(stage.shell.runs), fact.warmed, fact.not_warmed_because) == (1, False, "no room")


async def test_a_model_whose_files_the_hub_does_not_list_is_not_stored(stage: Stage) -> None:
    stage.with_settings(install_deadline_seconds=2.0, image_pull_seconds=1)
    await sealed(stage, model=MODEL, commit="b" * 40)
    error = (await stage.instance()).error
    assert error is not None
    assert error.message.endswith(f"the hub gave no list of the files of {MODEL}, which are to be stored")
    assert not stage.shell.runs


async def test_after_the_release_only_the_image_is_left(stage: Stage) -> None:
    await sealed(stage)
    await stage.deliver(e.MachineSealed)
    asked = len(stage.shell.connections)
    await stage.deliver(e.MachineImageStored)
    assert len(stage.shell.connections) == asked, "there is no worker to hear last words from"
    assert (await stage.instance()).status is Status.TERMINATED
    assert not stage.provider.alive
    assert not stage.provider.volumes
    assert len(stage.provider.images.listed()) == 1


async def test_a_snapshot_that_takes_a_while_is_waited_for(stage: Stage) -> None:
    stage.provider.images.snapshot_s = 0.2
    await sealed(stage)
    await stage.deliver(e.MachineSealed)
    assert len(await stored(stage)) == len(stage.provider.images.snapshots) == 1
    assert stage.provider.calls.count("store_image") > 1


async def test_storing_is_safe_when_done_twice_and_at_once(stage: Stage) -> None:
    stage.provider.images.snapshot_s = 0.1
    await sealed(stage)
    await asyncio.gather(*(stage.deliver(e.MachineSealed) for _ in range(3)))
    await stage.deliver(e.MachineSealed, redelivered=True)
    assert len(await stored(stage)) == len(stage.provider.images.listed()) == 1


async def test_a_holder_without_its_lease_stores_nothing(stage: Stage) -> None:
    await sealed(stage)
    with pytest.raises(LeaseLost):
        await stage.deliver(e.MachineSealed, lease=a_lease(fence_s=-1.0))
    assert not stage.provider.images.snapshots


async def test_a_cloud_that_fails_for_a_while_is_asked_again(stage: Stage) -> None:
    await sealed(stage)
    stage.provider.fail("store_image", TryAgain("busy", "try later"), TryAgain("lost", "no answer"), when="after")
    await stage.deliver(e.MachineSealed)
    assert len(await stored(stage)) == len(stage.provider.images.listed()) == 1


async def test_a_cloud_that_refuses_ends_the_build_with_the_reason(stage: Stage) -> None:
    await sealed(stage)
    stage.provider.fail("store_image", Rejected("quota_exceeded", "no snapshot more than 5"))
    await stage.deliver(e.MachineSealed)
    instance = await stage.instance()
    assert instance.status is Status.STARTUP_FAILED
    assert instance.error is not None
    assert instance.error.message == "Storing the machine image failed: no snapshot more than 5"
    await stage.deliver(e.StartupFailed)
    assert not stage.provider.alive


async def test_a_build_that_is_terminated_meanwhile_takes_no_image(stage: Stage) -> None:
    await sealed(stage)
    stage.provider.after["store_image"] = stage.terminated
    stage.provider.images.snapshot_s = 0.05
    await stage.deliver(e.MachineSealed)
    assert not await stored(stage)
    assert (await stage.instance()).status is Status.TERMINATED


async def test_a_machine_that_was_sealed_before_its_holder_died_is_reported_by_the_next(stage: Stage) -> None:
    stage.shell.outcomes.clear()
    stage.shell.outcomes.append(replace(SEALING))
    await stage.launched(e.SshReachable, purpose="machine_image", model="")
    stage.shell.drop_after.append(len(SEALING.lines) - 1)
    await stage.deliver(e.SshReachable)
    assert len(stage.shell.runs) == 1
    assert len(await stage.events(e.MachineSealed)) == 1


async def test_another_build_of_the_same_type_has_its_own_image(stage: Stage) -> None:
    await sealed(stage)
    await stage.deliver(e.MachineSealed)
    other = replace(stage, instance_id=uuid4())
    other.shell.outcomes.append(SEALING)
    await sealed(other)
    await other.deliver(e.MachineSealed)
    assert len({image.builder_id for image in stage.provider.images.listed()}) == 2
