"""What a worker has printed is read on request, and kept before its machine is gone."""

from datetime import UTC, datetime

import pytest

from services.provisioner.worker_output import WorkerOutputOnDemand
from shared.lifecycle import events as e
from shared.worker_output import WorkerOutputRequest, WorkerOutputs
from tests.provisioner.stage import Stage

DISK = "/dev/vda 20G 20G 0 100% /"


@pytest.fixture
async def installed(stage: Stage) -> Stage:
    await stage.launched()
    await stage.deliver(e.SshReachable)
    key = stage.secrets.worker_api_key(stage.instance_id, 1)
    stage.shell.worker_output = (
        f"2026-01-01T00:00:01.5Z non-default args: {key}",
        "2026-01-01T00:00:02Z   ",
        "2026-01-01T00:00:03Z torch.OutOfMemoryError: CUDA out of memory.",
        "::machine::",
        "$ df -h",
        DISK,
    )
    return stage


def kept(stage: Stage) -> WorkerOutputs:
    return stage.dependencies.worker_outputs


async def test_the_last_lines_and_the_machine_are_kept_before_a_release(installed: Stage) -> None:
    await installed.happened(e.StartupFailed, attempt=1, code="out_of_gpu_memory", message="Too small.")
    await installed.deliver(e.StartupFailed)
    output = await kept(installed).of(installed.instance_id)
    assert output is not None
    assert [(line.number, line.at, line.text) for line in output.lines] == [
        (1, datetime(2026, 1, 1, 0, 0, 1, 500_000, UTC), "non-default args: [redacted]"),
        (2, datetime(2026, 1, 1, 0, 0, 3, 0, UTC), "torch.OutOfMemoryError: CUDA out of memory."),
    ]
    assert (output.attempt, output.machine) == (1, ("$ df -h", DISK))
    assert installed.provider.empty


async def test_a_release_goes_on_if_the_machine_does_not_answer(installed: Stage) -> None:
    installed.shell.refuse = 1
    await installed.terminated()
    await installed.deliver(e.TerminationRequested)
    assert await kept(installed).of(installed.instance_id) is None
    assert installed.provider.empty


async def test_what_was_kept_of_an_attempt_is_not_replaced_by_a_later_holder(installed: Stage) -> None:
    await installed.terminated()
    await installed.deliver(e.TerminationRequested)
    before, connections = await kept(installed).of(installed.instance_id), len(installed.shell.connections)
    await installed.deliver(e.TerminationRequested)
    assert await kept(installed).of(installed.instance_id) == before
    assert len(installed.shell.connections) == connections


async def test_a_machine_without_an_install_is_not_asked(stage: Stage) -> None:
    await stage.launched()
    await stage.terminated()
    await stage.deliver(e.TerminationRequested)
    assert stage.shell.connections == []


async def test_a_running_worker_is_read_on_request(installed: Stage) -> None:
    reply = await WorkerOutputOnDemand(installed.dependencies).asked(
        WorkerOutputRequest(instance_id=installed.instance_id)
    )
    assert reply.output is not None
    assert [line.number for line in reply.output.lines] == [1, 2]


@pytest.mark.parametrize("refusals", [0, 1])
async def test_a_request_for_a_worker_that_cannot_be_read_is_answered_with_the_reason(
    stage: Stage, refusals: int
) -> None:
    await stage.launched()
    if refusals:
        await stage.deliver(e.SshReachable)
        stage.shell.refuse = refusals
    reply = await WorkerOutputOnDemand(stage.dependencies).asked(WorkerOutputRequest(instance_id=stage.instance_id))
    words = "its machine cannot be read: " if refusals else "it has no machine with a worker now"
    assert (reply.output, reply.reason.startswith(words)) == (None, True)
