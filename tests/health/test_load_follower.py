"""The wait for a model is told from the worker's log, which is read over SSH from the right machine only."""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

import asyncssh
import pytest

from services.health.settings import HealthSettings
from services.health.ssh_worker_log import COMMAND, CONTAINER, SshWorkerLog
from services.health.worker_log import LogUnavailable, WorkerLog
from shared.lifecycle import events as e
from shared.lifecycle.status import Status
from shared.secrets import Secrets, SshKey
from tests.health.examples import SECRET
from tests.health.watching import World, a_world, until, watched
from tests.lifecycle import facts as f

SHARDS = "(EngineCore_DP0 pid=1) Loading safetensors checkpoint shards: 50% Completed | {}/8 [00:03<00:02, 1.51it/s]"
SECRETS = Secrets(SECRET)
PRINTED = "non-default args: {'api_key': ['cs-secret']}\n" + "\r".join(SHARDS.format(number) for number in range(9))


@dataclass
class FakeLog:
    """Prints what it is told to; `asked` is who was asked for, `gone` ends every reading with that."""

    lines: asyncio.Queue[str] = field(default_factory=asyncio.Queue)
    asked: list[tuple[str, Sequence[str]]] = field(default_factory=list)
    reading: int = 0
    gone: Exception | None = None

    def made(self, _key: SshKey, _settings: HealthSettings) -> WorkerLog:
        return self

    async def follow(self, address: str, host_keys: Sequence[str]) -> AsyncGenerator[str]:
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
    """A real SSH server whose `docker logs` prints PRINTED; `commands` is whatever it was told to do."""

    key: SshKey
    commands: list[str | None] = field(default_factory=list)
    port: int = 0

    async def __aenter__(self) -> Self:
        async def handle(process: asyncssh.SSHServerProcess[str]) -> None:
            self.commands.append(process.command)
            process.stdout.write(PRINTED)
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
        assert machine.commands == [COMMAND]


async def test_a_machine_with_another_key_is_told_nothing(world: World) -> None:
    async with Machine(SECRETS.host_key(world.id, 2)) as machine:
        expected = [SECRETS.host_key(world.id, number).public for number in (0, 1)]
        with pytest.raises(LogUnavailable, match="HostKeyNotVerifiable"):
            await anext(worker_log(world, machine).follow("127.0.0.1", expected))
        assert machine.commands == []


def test_the_container_is_the_one_that_the_install_starts() -> None:
    install = Path("services/provisioner/install/install.sh").read_text()
    assert f"\ncontainer={CONTAINER}\n" in install
