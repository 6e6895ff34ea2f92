"""The whole install, from its trigger to the journal, over OpenSSH."""

import asyncio
import re
from collections.abc import AsyncGenerator, Callable
from contextlib import AbstractAsyncContextManager, aclosing, asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import asyncssh
import pytest

from services.provisioner.install.script import COMMAND, PHASES, SUPERSEDED, InstallJob, stdin_of
from services.provisioner.perform import Perform
from shared.lifecycle import events as e
from shared.lifecycle.status import Status
from shared.machine import Exited, Unreachable, WrongHostKey
from shared.secrets import SshKey
from shared.ssh import SshShell
from simulator.scenario import Scenario
from tests.provisioner.openssh import OpenSsh, needs_sshd, under_openssh
from tests.provisioner.stage import Stage
from tests.provisioner.tap import NEWKEYS, Tap, tapped
from tests.simulator.host.machines import QUICK, SSH_PORT, Machine

PULLING = QUICK.model_copy(update={"image_pull": 1.0})
SLOW_PULL = QUICK.model_copy(update={"image_pull": 60.0})
ASKING_WHO_IS_THERE = {1, 20, 30}
"""DISCONNECT, KEXINIT, KEX_ECDH_INIT (RFC 4253, 5656): all that a client says before it takes a server for the one."""


@dataclass
class OverSsh(Stage):
    """A stage with real machines."""

    port: int = SSH_PORT

    @property
    def perform(self) -> Perform:
        perform = super().perform
        return replace(perform, dependencies=replace(perform.dependencies, shell=self.ssh))

    @property
    def ssh(self) -> SshShell:
        return SshShell(
            client_key=self.secrets.ssh_client_key(), port=self.port, connect_timeout_s=5.0, keepalive_s=5.0
        )

    def machine(self, folder: Path, scenario: Scenario = QUICK, host_key: SshKey | None = None) -> Machine:
        """Boot it with the keys of its cloud-init, or with an impostor's."""
        machine = Machine(
            folder / "machine",
            scenario,
            client_key=asyncssh.import_private_key(self.secrets.ssh_client_key().private),
            host_key=asyncssh.import_private_key((host_key or self.key(0)).private),
        )
        self.provider.address = machine.address
        return machine

    def key(self, number: int) -> SshKey:
        return self.secrets.host_key(self.instance_id, number)

    async def has_begun_pulling(self) -> bool:
        return "image_pull" in [event.phase for event in await self.events(e.SshInstallPhaseReached)]

    async def was_delayed(self) -> bool:
        return bool(await self.events(e.ActionDelayed))


@pytest.fixture
def over_ssh(stage: Stage) -> OverSsh:
    return OverSsh(stage.journal, stage.provider, stage.connection)


@asynccontextmanager
async def under_its_own_server(machine: Machine) -> AsyncGenerator[None]:
    await machine.host.start()
    try:
        yield
    finally:
        await machine.host.destroy()


def logs_of(machine: Machine) -> dict[str, str]:
    state = machine.host.disk.root / "var/lib/coldstart"
    return {path.name: path.read_text() for path in state.glob("*.log")}


def pulls(machine: Machine) -> int:
    return "".join(logs_of(machine).values()).count("Pulling from")


async def said_by(shell: SshShell, machine: Machine, host_keys: list[SshKey], job: InstallJob) -> list[str | Exited]:
    async with (
        shell.open(machine.address, [key.public for key in host_keys]) as session,
        aclosing(session.run(COMMAND, stdin_of(job))) as saying,
    ):
        return [said async for said in saying]


def a_job(attempt: int = 1) -> InstallJob:
    return InstallJob(
        attempt=attempt, attempt_try=1, image="vllm/vllm-openai:v0.32.0", model="some/model", task="generate",
        worker_port=8000, api_key=f"key-{attempt}",
    )  # fmt: skip


async def test_the_pull_of_the_image_can_be_watched_while_it_goes_on(over_ssh: OverSsh, tmp_path: Path) -> None:
    machine = over_ssh.machine(tmp_path, SLOW_PULL)
    await over_ssh.launched()

    async def is_told() -> bool:
        told = await over_ssh.outputs.of(over_ssh.instance_id)
        return told is not None and any("Pulling fs layer" in line.text for line in told.lines)

    async with under_its_own_server(machine):
        installing = asyncio.create_task(over_ssh.deliver(e.SshReachable))
        await over_ssh.until(is_told)
        installing.cancel()
        await asyncio.wait({installing})


@needs_sshd
async def test_openssh_runs_the_whole_install_and_shows_the_new_host_key_from_then_on(
    over_ssh: OverSsh, tmp_path: Path
) -> None:
    machine = over_ssh.machine(tmp_path)
    async with under_openssh(machine):
        await over_ssh.launched()
        await over_ssh.deliver(e.SshReachable)
        assert [event.phase for event in await over_ssh.events(e.SshInstallPhaseReached)] == list(PHASES)
        told = await over_ssh.told()
        assert told.count("HostKeyRotated") == told.count("SshInstallCompleted") == 1
        assert told.index("HostKeyRotated") < told.index("SshInstallCompleted")
        assert (await over_ssh.instance()).status is Status.STARTING
        with pytest.raises(WrongHostKey):
            await said_by(over_ssh.ssh, machine, [over_ssh.key(0)], a_job())
        assert machine.host.disk.contents.containers["coldstart-worker"].labels == {"coldstart.attempt": "1"}


@needs_sshd
async def test_two_holders_attach_to_one_install_of_openssh(over_ssh: OverSsh, tmp_path: Path) -> None:
    machine = over_ssh.machine(tmp_path, PULLING)
    async with under_openssh(machine):
        await over_ssh.launched()
        await asyncio.gather(over_ssh.deliver(e.SshReachable), over_ssh.deliver(e.SshReachable))
        assert pulls(machine) == 1
        told = await over_ssh.told()
        assert told.count("SshInstallCompleted") == 1
        assert told.count("SshInstallPhaseReached") == len(PHASES)


@needs_sshd
async def test_an_install_outlives_the_openssh_connection_that_began_it(over_ssh: OverSsh, tmp_path: Path) -> None:
    machine = over_ssh.machine(tmp_path, PULLING)
    async with under_openssh(machine) as sshd:
        await over_ssh.launched()
        installing = asyncio.create_task(over_ssh.deliver(e.SshReachable))
        await over_ssh.until(over_ssh.has_begun_pulling)
        assert sshd.cut() > 0
        await installing
        assert {event.code for event in await over_ssh.events(e.ActionDelayed)} == {"machine_unreachable"}
        assert list(logs_of(machine)) == ["attempt-1-1.log"]
        assert pulls(machine) == 1
        assert not await over_ssh.events(e.SshInstallFailed)
        assert (await over_ssh.instance()).status is Status.STARTING


@needs_sshd
async def test_what_finished_under_openssh_is_reported_and_not_repeated(over_ssh: OverSsh, tmp_path: Path) -> None:
    machine = over_ssh.machine(tmp_path)
    async with under_openssh(machine):
        first = await said_by(over_ssh.ssh, machine, [over_ssh.key(0)], a_job())
        container = machine.host.disk.contents.containers["coldstart-worker"].id
        assert first[-1] == Exited(0)
        assert await said_by(over_ssh.ssh, machine, [over_ssh.key(0)], a_job()) == first
        assert machine.host.disk.contents.containers["coldstart-worker"].id == container


@needs_sshd
async def test_a_newer_attempt_ends_an_older_one_under_openssh(over_ssh: OverSsh, tmp_path: Path) -> None:
    machine = over_ssh.machine(tmp_path, SLOW_PULL)
    async with (
        under_openssh(machine),
        over_ssh.ssh.open(machine.address, [over_ssh.key(0).public]) as session,
        aclosing(session.run(COMMAND, stdin_of(a_job(1)))) as older,
    ):
        async for said in older:
            if "Pulling fs layer" in str(said):
                break
        machine.host.scenario = QUICK
        newer = await said_by(over_ssh.ssh, machine, [over_ssh.key(0)], a_job(2))
        assert newer[-1] == Exited(0)
        assert [said async for said in older][-1] == Exited(SUPERSEDED)


@needs_sshd
async def test_an_openssh_that_is_too_busy_to_greet_is_asked_again(over_ssh: OverSsh, tmp_path: Path) -> None:
    machine = over_ssh.machine(tmp_path)
    async with under_openssh(machine, startups=1):
        await over_ssh.launched()
        greeting, stranger = await asyncio.open_connection(machine.address, SSH_PORT)
        assert (await greeting.readline()).startswith(b"SSH-2.0-OpenSSH")
        with pytest.raises(Unreachable):
            await said_by(over_ssh.ssh, machine, [over_ssh.key(0)], a_job())
        installing = asyncio.create_task(over_ssh.deliver(e.SshReachable))
        await over_ssh.until(over_ssh.was_delayed)
        stranger.close()
        await stranger.wait_closed()
        await installing
        assert (await over_ssh.instance()).status is Status.STARTING


@pytest.mark.parametrize("server", [pytest.param(under_openssh, marks=needs_sshd), under_its_own_server])
async def test_whoever_has_another_host_key_gets_no_byte_of_the_script_nor_a_secret(
    over_ssh: OverSsh,
    tmp_path: Path,
    server: Callable[[Machine], AbstractAsyncContextManager[OpenSsh | None]],
) -> None:
    impostor = over_ssh.machine(tmp_path, host_key=over_ssh.key(7))
    async with server(impostor), tapped(impostor.address, SSH_PORT) as tap:
        await to_the(tap, over_ssh)
        await over_ssh.deliver(e.SshReachable, age_s=over_ssh.settings.install_deadline_seconds)
        assert tap.sent
        assert all(set(messages) <= ASKING_WHO_IS_THERE for messages in tap.messages())
        assert not (impostor.host.disk.root / "var/lib/coldstart").exists()
        assert {event.code for event in await over_ssh.events(e.ActionDelayed)} == {"host_key_mismatch"}
        assert "SshInstallStarted" not in await over_ssh.told()
        instance = await over_ssh.instance()
        assert instance.status is Status.STARTUP_FAILED
        assert instance.error is not None
        assert instance.error.code == "host_key_mismatch"
        assert re.search("whoever answers at .* has another host key", instance.error.message)


@needs_sshd
async def test_the_tap_hears_it_when_a_client_says_more(over_ssh: OverSsh, tmp_path: Path) -> None:
    """Otherwise the test above would prove nothing."""
    machine = over_ssh.machine(tmp_path)
    async with under_openssh(machine), tapped(machine.address, SSH_PORT) as tap:
        await to_the(tap, over_ssh)
        async with over_ssh.ssh.open("127.0.0.1", [over_ssh.key(0).public]):
            assert [NEWKEYS in messages for messages in tap.messages()] == [True]


async def to_the(tap: Tap, over_ssh: OverSsh) -> None:
    over_ssh.provider.address, over_ssh.port = "127.0.0.1", tap.port
    await over_ssh.launched()
