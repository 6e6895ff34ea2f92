"""One boot of one simulated machine."""

import asyncio
import re
import secrets
import shlex
import time
from collections.abc import Sequence
from dataclasses import replace

from simulator.cloud.ports import ONE_L4, Hardware, MakeHost
from simulator.host import cloud_init as user_data
from simulator.host import processes
from simulator.host.containers import Containers
from simulator.host.disk import Disk
from simulator.host.faults import PHASES
from simulator.host.file_failures import FileFailures
from simulator.host.machine_failures import MachineFailures
from simulator.host.model import MachineModel
from simulator.host.ssh_keys import write_authorized_keys
from simulator.host.sshd import SshServer
from simulator.host.standins.server import StandIns
from simulator.scenario import Scenario
from simulator.settings import SimulatorSettings


class SimulatedMachine:
    """A Host: an SSH server on (address, ssh_port), a disk folder, and whatever commands and workers it started."""

    def __init__(
        self,
        *,
        disk: Disk,
        address: str,
        ssh_port: int,
        cloud_init: bytes,
        scenario: Scenario,
        tags: Sequence[str] = (),
        project_keys: Sequence[str] = (),
        hardware: Hardware = ONE_L4,
    ) -> None:
        """`tags` are the server's at this boot, `project_keys` the SSH keys of its project."""
        if scenario.install_fails_at is not None and scenario.install_fails_at not in PHASES:
            known = ", ".join(sorted(PHASES))
            raise ValueError(f"Unknown phase {scenario.install_fails_at!r} in install_fails_at. Use one of {known}.")
        self.address = address
        self.disk = disk
        self.scenario = scenario
        self.hardware = hardware
        self.boot_id = secrets.token_hex(16)
        """Marks this boot's processes. Its stand-ins authenticate with it."""
        self._ssh_port = ssh_port
        self._cloud_init = cloud_init
        self._tags = tags
        self._project_keys = project_keys
        self.file_failures = FileFailures(scenario.file_failures)
        self.model = MachineModel(scenario.rates) if scenario.rates else None
        self.containers = Containers(disk, address, scenario, {processes.MARKER: self.boot_id}, self.model)
        self._stand_ins = StandIns(self)
        self._locked_until = 0.0
        self._skipped_s = 0.0
        self._environment: dict[str, str] = {}
        self._sshd = SshServer(disk, self._environment)

    async def start(self) -> None:
        """Boot, and listen for SSH after `scenario.ssh_up` seconds. With `never_ssh`, do nothing."""
        if self.scenario.never_ssh:
            return
        if self.model is None:
            await asyncio.sleep(self.scenario.ssh_up)
        else:
            await self.model.sleep(self.model.rates.boot_seconds)
        self._locked_until = time.monotonic() + self.scenario.packages_locked
        given = user_data.parse(self._cloud_init)
        if self.scenario.wrong_host_key:
            given = replace(given, host_key_private=None, host_key_public=None)
        self.disk.attach(given)
        self.disk.forget_memory()
        self.write_authorized_keys()
        self.disk.boot_devices(self.hardware.scratch)
        if self.scenario.skips_sleep:
            self.disk.install_command("sleep")
        if last := self.disk.boot:  # the former simulator was killed, and its processes were not
            await asyncio.to_thread(processes.end_all, last)
        self.disk.boot = self.boot_id
        stand_ins_port = await self._stand_ins.start(self.address)
        root = str(self.disk.root)
        self._environment.update(
            PATH=str(self.disk.bin), HOME=f"{root}/root", TMPDIR=str(self.disk.temporary), USER="root", LOGNAME="root",
            SHELL="/bin/bash", LANG="C.UTF-8", COLDSTART_ROOT=root, SIMULATED_ADDRESS=self.address,
            SIMULATED_PORT=str(stand_ins_port), **{processes.MARKER: self.boot_id},
        )  # fmt: skip
        await self._start_units()
        self.containers.boot()
        await self._sshd.start(self.address, self._ssh_port)

    async def stop(self) -> None:
        """End everything at once, as a power cut does. The disk stays."""
        await asyncio.to_thread(processes.freeze, self.boot_id)
        await self._sshd.stop()
        await self._stand_ins.stop()
        await self.containers.power_off()
        await asyncio.to_thread(processes.end_all, self.boot_id)
        await asyncio.to_thread(self.disk.forget_memory)
        if self.disk.boot == self.boot_id:
            self.disk.boot = ""

    async def erase_scratch(self) -> None:
        await asyncio.to_thread(self.disk.erase_scratch)

    async def _start_units(self) -> None:
        """What ends before Docker starts. A unit that fails stops nothing, as with systemd's Wants."""
        for unit in sorted(self.disk.contents.enabled_units):
            text = (self.disk.root / "etc/systemd/system" / unit).read_text()
            if "Type=oneshot" not in text:
                continue
            for command in re.findall(r"^ExecStart=(.+)$", text, re.MULTILINE):
                running = await asyncio.create_subprocess_exec(
                    *shlex.split(command), env=self._environment, cwd=self._environment["HOME"],
                    stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.DEVNULL,
                    stderr=asyncio.subprocess.DEVNULL, start_new_session=True,
                )  # fmt: skip
                await running.wait()

    async def destroy(self) -> None:
        await self.stop()
        await asyncio.to_thread(self.disk.remove)

    def write_authorized_keys(self) -> None:
        """As the image does, whatever is in the file."""
        write_authorized_keys(self.disk, self._project_keys, self._tags, project_only=self.scenario.project_keys_only)

    def reload_ssh(self) -> None:
        """Raises asyncssh.KeyImportError if the host key's file holds no key."""
        self._sshd.reload()

    @property
    def packages_locked(self) -> bool:
        return time.monotonic() + self._skipped_s < self._locked_until

    def skip(self, seconds: float) -> None:
        """For the locks, so many seconds have passed."""
        self._skipped_s += seconds

    def fails_at(self, phase: str) -> bool:
        """Whether the install must fail in this phase now."""
        times = self.scenario.install_fails_times
        return self.scenario.install_fails_at == phase and (times is None or self.disk.contents.failed_installs < times)

    def fault(self, phase: str) -> bool:
        """Like `fails_at`, and counts the failed run."""
        failing = self.fails_at(phase)
        if failing:
            self.disk.contents.failed_installs += 1
            self.disk.save()
        return failing


def machines(settings: SimulatorSettings) -> MakeHost:
    """Makes machines on the settings' SSH port. Their disks are in its data folder, by server id."""
    failures = MachineFailures()

    def make(
        *,
        server_id: str,
        address: str,
        tags: Sequence[str],
        cloud_init: bytes,
        scenario: Scenario,
        hardware: Hardware = ONE_L4,
    ) -> SimulatedMachine:
        return SimulatedMachine(
            disk=Disk((settings.data_dir / "hosts" / server_id).absolute()), address=address,
            ssh_port=settings.ssh_port, cloud_init=cloud_init, scenario=failures.scenario_of(server_id, scenario),
            tags=tags, project_keys=settings.project_keys, hardware=hardware,
        )  # fmt: skip

    return make
