"""What an install prints can be seen while it runs, without secrets, and never at the install's cost."""

import asyncio

from structlog.testing import capture_logs

from shared.install_output import KEPT_S, MOST_LINES, InstallOutput
from shared.lifecycle import events as e
from shared.lifecycle.status import Status
from tests.provisioner.fake_shell import ALL_PHASES, Outcome
from tests.provisioner.stage import Stage, a_lease


async def output(stage: Stage) -> InstallOutput:
    told = await stage.outputs.of(stage.instance_id)
    assert told is not None
    return told


async def test_the_lines_are_told_while_the_install_goes_on_and_counted_within_their_try(stage: Stage) -> None:
    done = asyncio.Event()
    stage.shell.outcomes.append(
        Outcome((*ALL_PHASES[:6], "abc: Pulling fs layer\r\n", "abc: Pull complete\n"), 0, done)
    )
    await stage.launched()
    assert await stage.outputs.of(stage.instance_id) is None

    async def told() -> bool:
        return await stage.outputs.of(stage.instance_id) is not None

    async with asyncio.TaskGroup() as group:
        group.create_task(stage.deliver(e.SshReachable))
        await stage.until(told)
        assert "SshInstallCompleted" not in await stage.told()
        done.set()
    after = await output(stage)
    assert (after.attempt, after.install_try) == (1, 1)
    assert [(line.number, line.text) for line in after.lines[-3:]] == [
        (6, "::phase::image_pull"), (7, "abc: Pulling fs layer"), (8, "abc: Pull complete"),
    ]  # fmt: skip


async def test_a_further_try_begins_anew(stage: Stage) -> None:
    stage.shell.outcomes += [Outcome(("first\n",), 1), Outcome(("second\n",))]
    await stage.launched()
    await stage.deliver(e.SshReachable)
    after = await output(stage)
    assert (after.install_try, [(line.number, line.text) for line in after.lines]) == (2, [(1, "second")])


async def test_only_the_last_lines_are_kept_and_no_secret_is_in_them(stage: Stage) -> None:
    key = stage.secrets.worker_api_key(stage.instance_id, 1)
    lines = tuple(f"line {number} {key}\n" for number in range(1, MOST_LINES + 51))
    stage.shell.outcomes.append(Outcome(lines))
    await stage.launched()
    await stage.deliver(e.SshReachable)
    after = await output(stage)
    assert [line.number for line in after.lines] == list(range(51, MOST_LINES + 51))
    assert after.lines[-1].text == f"line {MOST_LINES + 50} [redacted]"
    bucket = await stage.connection.jetstream().key_value("install_output")
    assert (await bucket.status()).ttl == KEPT_S


async def test_an_install_whose_output_cannot_be_told_completes_all_the_same(stage: Stage) -> None:
    await stage.connection.jetstream().add_stream(name="KV_install_output", subjects=["elsewhere"])
    await stage.launched()
    with capture_logs() as logs:
        await stage.deliver(e.SshReachable)
    assert (await stage.instance()).status is Status.STARTING
    assert [entry["instance_id"] for entry in logs if entry["event"] == "install output not published"]


async def test_a_holder_that_has_lost_its_lease_tells_nothing(stage: Stage) -> None:
    lease = a_lease()
    done = asyncio.Event()
    stage.shell.outcomes.append(Outcome(ALL_PHASES, until=done))
    await stage.launched()
    installing = asyncio.create_task(stage.deliver(e.SshReachable, lease=lease))

    async def told() -> bool:
        return await stage.outputs.of(stage.instance_id) is not None

    await stage.until(told)
    before = await output(stage)
    await lease.surrender()
    done.set()
    await asyncio.wait({installing})
    assert await output(stage) == before
