"""The wait for a model is told from the worker's log, which is read over SSH from the right machine only."""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Self

import asyncssh
import pytest
from structlog.testing import capture_logs

from services.health.settings import HealthSettings
from services.health.ssh_worker_log import COMMAND, PRINTED, SshWorkerLog
from services.health.worker_log import LogUnavailable, WorkerEnd, WorkerLog
from shared.docker import CONTAINER, STATE
from shared.lifecycle import events as e
from shared.lifecycle.status import Status
from shared.secrets import Secrets, SshKey
from tests.health.examples import SECRET
from tests.health.watching import World, a_world, until, watched
from tests.lifecycle import facts as f

SHARDS = "(EngineCore_DP0 pid=1) Loading safetensors checkpoint shards: 50% Completed | {}/8 [00:03<00:02, 1.51it/s]"
SECRETS = Secrets(SECRET)
LOG = "non-default args: {'api_key': ['cs-secret']}\n" + "\r".join(SHARDS.format(number) for number in range(9))


@dataclass
class FakeLog:
    """Prints what it is told to; `asked` is who was asked for, `gone` ends every reading with that."""

    lines: asyncio.Queue[str | WorkerEnd] = field(default_factory=asyncio.Queue)
    asked: list[tuple[str, Sequence[str]]] = field(default_factory=list)
    reading: int = 0
    gone: Exception | None = None
    down: str | None = None

    def made(self, _key: SshKey, _settings: HealthSettings) -> WorkerLog:
        return self

    async def container(self, _address: str, _host_keys: Sequence[str]) -> str | None:
        return self.down

    async def follow(self, address: str, host_keys: Sequence[str]) -> AsyncGenerator[str | WorkerEnd]:
        self.asked.append((address, host_keys))
        self.reading += 1
        try:
            while self.gone is None:
                yield await self.lines.get()
            raise self.gone
        finally:
            self.reading -= 1


@pytest.fixture
async def world(nats_url: str) -> AsyncGenerator[World]:
    async with a_world(nats_url) as made:
        yield made


@pytest.fixture
def log() -> FakeLog:
    return FakeLog()


async def progressed(world: World) -> list[tuple[str, float]]:
    history = [recorded.event for recorded in await world.history()]
    return [(event.stage, event.fraction) for event in history if isinstance(event, e.ModelLoadProgressed)]


async def test_what_the_worker_prints_while_it_loads_is_told(world: World, log: FakeLog) -> None:
    async with watched(world, log=log.made):
        await world.launched()
        await world.happen(f.ssh_install_started(), f.ssh_install_completed())
        for line in (SHARDS.format(4), SHARDS.format(4), SHARDS.format(2), "init engine (profile) took 1 s"):
            log.lines.put_nowait(line)
        instance = await world.until(lambda one: one.progress_percent == 79)
        assert (instance.status, instance.step) == (Status.STARTING, "ModelLoadProgressed")
        assert await progressed(world) == [("shards", 0.525), ("warm_up", 1.0)]
        await world.worker.open()
        await world.until(Status.READY)
        await until(lambda: log.reading == 0)


async def test_a_worker_that_keeps_ending_fails_its_start_with_its_last_lines_and_without_secrets(
    world: World, log: FakeLog
) -> None:
    async with watched(world, log=log.made):
        await world.launched()
        await world.happen(f.ssh_install_started(), f.ssh_install_completed())
        printed = (f"api_key: {world.key(1)}, token: hf_{'x' * 34}", "vllm: error: unrecognized arguments: --no")
        with capture_logs() as logged:
            log.lines.put_nowait(WorkerEnd(f.AT, 2, printed))
            failed = await world.until(Status.STARTUP_FAILED)
            await until(lambda: any(line["event"] == "instance failed" for line in logged))
        [line] = [line for line in logged if line["event"] == "instance failed"]
        assert (line["instance_id"], line["code"]) == (str(world.id), "bad_option")
        assert failed.error is not None
        assert (failed.error.code, "It ended once with: vllm: error" in failed.error.message) == ("bad_option", True)
        end = (await world.history())[-1].event
        assert isinstance(end, e.StartupFailed)
        assert end.output == ("api_key: [redacted], token: [redacted]", printed[1])


async def test_a_worker_that_is_lost_because_its_container_is_down_is_told_so(world: World, log: FakeLog) -> None:
    log.down = "container exited (137)"
    async with watched(world, log=log.made):
        await world.launched()
        await world.happen(f.ssh_install_started(), f.ssh_install_completed())
        await world.worker.open()
        await world.until(Status.READY)
        with capture_logs() as logged:
            await world.worker.close()
            await until(lambda: any(line["event"] == "instance unavailable" for line in logged))
        [line] = [line for line in logged if line["event"] == "instance unavailable"]
        [lost] = [each.event for each in await world.history() if isinstance(each.event, e.HealthLost)]
        assert lost.reason == "GET /health: connection refused; container exited (137)"
        assert (line["instance_id"], line["reason"]) == (str(world.id), lost.reason)


async def test_nothing_is_read_before_the_install_of_this_attempt_is_over(world: World, log: FakeLog) -> None:
    async with watched(world, log=log.made):
        await world.launched()
        await world.happen(f.ssh_install_started())
        await world.until(Status.INSTALLING)
        assert log.asked == []
        await world.happen(f.ssh_install_completed())
        await until(lambda: log.reading == 1)
        await world.happen(e.ReinstallRequested(instance_id=world.id, occurred_at=f.AT, attempt=2))
        await until(lambda: log.reading == 0)
        assert len(log.asked) == 1


async def test_a_changed_address_is_followed(world: World, log: FakeLog) -> None:
    async with watched(world, log=log.made):
        await world.launched("127.0.0.7")
        await world.happen(f.ssh_install_started(), f.ssh_install_completed())
        await until(lambda: log.reading == 1)
        await world.happen(f.address_changed(ip_address="127.0.0.8"))
        await until(lambda: [address for address, _ in log.asked] == ["127.0.0.7", "127.0.0.8"])
        await until(lambda: log.reading == 1)


async def test_a_load_that_a_stopped_server_begins_anew_is_told_as_well(world: World, log: FakeLog) -> None:
    async with watched(world, log=log.made):
        await world.launched()
        await world.happen(f.ssh_install_started(), f.ssh_install_completed())
        log.lines.put_nowait(SHARDS.format(2))
        await world.until(lambda one: one.reached(e.ModelLoadProgressed))
        await world.happen(f.server_stopped())
        assert (await world.until(Status.BOOTING)).reached(e.SshInstallCompleted)
        log.lines.put_nowait(SHARDS.format(8))
        await world.until(lambda one: one.progress_percent == 73)
        assert await progressed(world) == [("shards", 0.438), ("shards", 0.7)]


async def test_a_key_that_was_rotated_is_accepted_no_more_after_a_reconnection(world: World, log: FakeLog) -> None:
    async with watched(world, log=log.made, log_retry_seconds=0.01):
        await world.launched()
        await world.happen(f.ssh_install_started(), f.ssh_install_completed())
        await until(lambda: log.reading == 1)
        await world.happen(f.host_key_rotated(counter=1))
        log.gone = LogUnavailable("the connection broke")
        log.lines.put_nowait("")
        await until(lambda: list(log.asked[-1][1]) == [SECRETS.host_key(world.id, 1).public])
    assert list(log.asked[0][1]) == [SECRETS.host_key(world.id, number).public for number in (0, 1)]


async def test_a_log_that_cannot_be_read_delays_nothing_and_is_tried_again(world: World, log: FakeLog) -> None:
    log.gone = LogUnavailable("no SSH connection")
    async with watched(world, log=log.made, log_retry_seconds=0.01):
        await world.launched()
        await world.happen(f.ssh_install_started(), f.ssh_install_completed())
        await until(lambda: len(log.asked) > 2)
        await world.worker.open()
        assert (await world.until(Status.READY)).progress_percent == 100


async def test_a_log_whose_reading_meets_what_nobody_foresaw_is_read_again(world: World, log: FakeLog) -> None:
    log.gone = UnicodeError("what a machine sent")
    async with watched(world, log=log.made, log_retry_seconds=0.01):
        await world.launched()
        await world.happen(f.ssh_install_started(), f.ssh_install_completed())
        await until(lambda: len(log.asked) > 2)
        log.gone = None
        log.lines.put_nowait(SHARDS.format(4))

        await world.until(lambda instance: instance.step == "ModelLoadProgressed")


async def test_only_the_keys_of_this_machine_are_accepted(world: World, log: FakeLog) -> None:
    own = SECRETS.host_key(world.id, 7).public
    async with watched(world, log=log.made):
        await world.happen(f.instance_requested(), f.instance_created(host_key=own), f.instance_started())
        await world.happen(f.ip_assigned(), f.ssh_install_started(), f.ssh_install_completed())
        await until(lambda: bool(log.asked))
        assert list(log.asked[0][1]) == [own]


@dataclass
class Machine:
    """A real SSH server: `answers` by command, the last one again and again, otherwise LOG. `commands` it has got."""

    key: SshKey
    answers: dict[str, str | list[str]] = field(default_factory=dict)
    commands: list[str | None] = field(default_factory=list)
    port: int = 0

    async def __aenter__(self) -> Self:
        async def handle(process: asyncssh.SSHServerProcess[str]) -> None:
            self.commands.append(process.command)
            answer = self.answers.get(process.command or "", LOG)
            process.stdout.write(answer if isinstance(answer, str) else answer.pop(0) if answer[1:] else answer[0])
            process.exit(0)

        self._server = await asyncssh.listen(
            "127.0.0.1",
            0,
            server_host_keys=[asyncssh.import_private_key(self.key.private)],
            authorized_client_keys=asyncssh.import_authorized_keys(SECRETS.ssh_client_key().public),
            process_factory=handle,
        )
        self.port = self._server.get_port()
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        await self._server.wait_closed()


def worker_log(world: World, machine: Machine) -> SshWorkerLog:
    return SshWorkerLog(SECRETS.ssh_client_key(), world.pace(ssh_port=machine.port))


async def test_every_state_of_a_progress_bar_is_a_line(world: World) -> None:
    async with Machine(SECRETS.host_key(world.id, 1)) as machine:
        reading = worker_log(world, machine).follow("127.0.0.1", [machine.key.public])
        async with aclosing(reading) as lines:
            assert [line async for line in lines][1:] == [SHARDS.format(number) for number in range(9)]
        assert machine.commands == [STATE, COMMAND, STATE]


@pytest.mark.parametrize(
    ("state", "exit_code", "lines", "ran"),
    [
        (
            "restarting 1 2026-01-01T00:00:10.5Z 2026-01-01T00:00:20.000000001Z",
            1,
            ("loading", "no memory", "later"),
            9.5,
        ),
        ("running 0 2026-01-01T00:00:20.5Z 2026-01-01T00:00:20Z", None, ("loading", "no memory"), None),
    ],
)
async def test_how_the_worker_ended_last_is_told_without_what_it_has_printed_since(
    world: World, state: str, exit_code: int | None, lines: tuple[str, ...], ran: float | None
) -> None:
    log = "2026-01-01T00:00:12Z loading\n2026-01-01T00:00:19.9Z no memory\n2026-01-01T00:00:21Z later\n"
    answers: dict[str, str | list[str]] = {STATE: f"{state}\n", PRINTED: log, COMMAND: ""}
    async with Machine(SECRETS.host_key(world.id, 1), answers) as machine:
        reading = worker_log(world, machine).follow("127.0.0.1", [machine.key.public])
        async with aclosing(reading) as told:
            after = None if ran is None else timedelta(seconds=ran)
            end = WorkerEnd(datetime(2026, 1, 1, 0, 0, 20, tzinfo=UTC), exit_code, lines, after)
            assert [each async for each in told] == [end, end]


async def test_of_an_end_that_was_followed_it_is_known_how_long_the_worker_had_run(world: World) -> None:
    states = [
        "running 0 2026-01-01T00:00:10Z 0001-01-01T00:00:00Z\n",
        "running 0 2026-01-01T00:05:10.5Z 2026-01-01T00:05:10Z\n",
    ]
    answers: dict[str, str | list[str]] = {STATE: states, PRINTED: "", COMMAND: "loading\n"}
    async with Machine(SECRETS.host_key(world.id, 1), answers) as machine:
        reading = worker_log(world, machine).follow("127.0.0.1", [machine.key.public])
        async with aclosing(reading) as told:
            line, end = [each async for each in told]
    assert line == "loading"
    assert isinstance(end, WorkerEnd)
    assert end.ran == timedelta(minutes=5)


async def test_a_worker_that_never_ended_or_is_not_there_has_no_end(world: World) -> None:
    for state in ("running 0 2026-01-01T00:00:10Z 0001-01-01T00:00:00Z\n", "Error: No such object\n"):
        async with Machine(SECRETS.host_key(world.id, 1), {STATE: state, COMMAND: ""}) as machine:
            reading = worker_log(world, machine).follow("127.0.0.1", [machine.key.public])
            async with aclosing(reading) as told:
                assert [each async for each in told] == []


@pytest.mark.parametrize(
    ("state", "told"),
    [
        ("exited 137 2026-01-01T00:00:10Z 2026-01-01T00:00:20Z\n", "container exited (137)"),
        ("running 0 2026-01-01T00:00:10Z 0001-01-01T00:00:00Z\n", None),
        ("Error: No such object: coldstart-worker\n", None),
    ],
)
async def test_a_container_that_is_down_says_how(world: World, state: str, told: str | None) -> None:
    async with Machine(SECRETS.host_key(world.id, 1), {STATE: state}) as machine:
        log = worker_log(world, machine)
        assert await log.container("127.0.0.1", [machine.key.public]) == told
        assert await log.container("127.0.0.1", [SECRETS.host_key(world.id, 0).public]) is None


async def test_a_machine_with_another_key_is_told_nothing(world: World) -> None:
    async with Machine(SECRETS.host_key(world.id, 2)) as machine:
        expected = [SECRETS.host_key(world.id, number).public for number in (0, 1)]
        with pytest.raises(LogUnavailable, match="HostKeyNotVerifiable"):
            await anext(worker_log(world, machine).follow("127.0.0.1", expected))
        assert machine.commands == []


def test_the_container_is_the_one_that_the_install_starts() -> None:
    scripts = Path("services/provisioner/install")
    assert f"\ncontainer={CONTAINER}\n" in (scripts / "watchdog.sh").read_text()
    assert "$container" in (scripts / "install.sh").read_text()
