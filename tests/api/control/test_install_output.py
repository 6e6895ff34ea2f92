"""The output of an install as the provisioner published it, and of a worker as it read or kept it."""

from datetime import UTC, datetime
from typing import Any

import pytest
from nats.aio.msg import Msg

from shared.install_output import InstallOutput, InstallOutputs, OutputLine
from shared.worker_output import SUBJECT, WorkerOutput, WorkerOutputReply, WorkerOutputRequest, WorkerOutputs
from tests.api.stage import Stage
from tests.lifecycle import facts, histories

AT = datetime(2026, 1, 1, tzinfo=UTC)


async def test_the_last_lines_of_the_last_try_are_shown(stage: Stage) -> None:
    instance = await stage.happened(facts.instance_requested())
    lines = tuple(OutputLine(number=number, at=AT, text=f"line {number}") for number in (1, 2, 3))
    outputs = InstallOutputs(stage.connection.jetstream(), replicas=1)
    await outputs.publish(instance.id, InstallOutput(attempt=2, install_try=3, lines=lines, updated_at=AT))
    api = await stage.api()
    shown = (await api.client.get(f"/instances/{instance.id}/logs")).json()
    assert (shown["attempt"], shown["install_try"], shown["next_cursor"]) == (2, 3, None)
    assert [line["text"] for line in shown["items"]] == ["line 1", "line 2", "line 3"]
    assert shown["items"][0] == {"number": 1, "at": "2026-01-01T00:00:00Z", "text": "line 1"}
    last = (await api.client.get(f"/instances/{instance.id}/logs", params={"tail": 2})).json()
    assert [line["number"] for line in last["items"]] == [2, 3]


async def test_before_the_install_nothing_is_shown(stage: Stage) -> None:
    instance = await stage.happened(facts.instance_requested())
    api = await stage.api()
    nothing: dict[str, Any] = {"items": [], "attempt": None, "install_try": None, "machine": [], "next_cursor": None}
    assert (await api.client.get(f"/instances/{instance.id}/logs")).json() == nothing


@pytest.mark.parametrize(
    ("asked", "status", "code"),
    [
        ("8e2d9a51-6c5a-4a6e-9b60-7d1f2c3b4a59/logs", 404, "instance_not_found"),
        ("not-an-id/logs", 404, "instance_not_found"),
        ("8e2d9a51-6c5a-4a6e-9b60-7d1f2c3b4a59/logs?tail=0", 422, "invalid_request"),
        ("8e2d9a51-6c5a-4a6e-9b60-7d1f2c3b4a59/logs?source=kernel", 422, "invalid_request"),
    ],
)
async def test_what_is_no_instance_or_no_number_is_refused(stage: Stage, asked: str, status: int, code: str) -> None:
    api = await stage.api()
    answer = await api.client.get(f"/instances/{asked}")
    assert (answer.status_code, answer.json()["code"]) == (status, code)


def worker_output(text: str) -> WorkerOutput:
    line = OutputLine(number=1, at=AT, text=text)
    return WorkerOutput(attempt=1, lines=(line,), machine=("exited 137",), updated_at=AT)


async def test_the_log_of_a_worker_whose_machine_is_gone_is_the_one_that_was_kept(stage: Stage) -> None:
    failed = await stage.happened(*histories.a_failed_start())
    kept = WorkerOutputs(stage.connection.jetstream(), replicas=1)
    await kept.publish(failed.id, worker_output("CUDA out of memory"))
    api = await stage.api()
    shown = (await api.client.get(f"/instances/{failed.id}/logs", params={"source": "worker"})).json()
    assert ([line["text"] for line in shown["items"]], shown["machine"]) == (["CUDA out of memory"], ["exited 137"])
    assert (shown["attempt"], shown["install_try"]) == (1, None)


async def test_the_log_of_a_running_worker_is_read_by_a_provisioner(stage: Stage) -> None:
    instance = await stage.happened(*histories.a_starting_instance())
    api = await stage.api()
    path, worker = f"/instances/{instance.id}/logs", {"source": "worker"}
    refused = await api.client.get(path, params=worker)
    assert (refused.status_code, refused.json()["code"]) == (503, "worker_log_unreadable")
    assert refused.json()["detail"].startswith("no provisioner is running")

    async def answer(message: Msg) -> None:
        assert WorkerOutputRequest.model_validate_json(message.data).instance_id == instance.id
        await message.respond(WorkerOutputReply(output=worker_output("loading")).model_dump_json().encode())

    await stage.connection.subscribe(SUBJECT, cb=answer)
    shown = (await api.client.get(path, params=worker)).json()
    assert [line["text"] for line in shown["items"]] == ["loading"]


async def test_before_there_is_a_worker_its_log_is_empty(stage: Stage) -> None:
    instance = await stage.happened(facts.instance_requested())
    api = await stage.api()
    shown = await api.client.get(f"/instances/{instance.id}/logs", params={"source": "worker"})
    assert (shown.status_code, shown.json()["items"]) == (200, [])
