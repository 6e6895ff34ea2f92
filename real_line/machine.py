"""The GPU machine: a Debian that systemd boots in a container of its own (systemd-nspawn), with a disk of its own."""

import os
import shutil
import signal
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import psutil

from real_line.addresses import CONTROL, FILES, MACHINE, PREFIX, REGISTRY_PORT
from real_line.commands import Commands
from real_line.waiting import until

_NAME: Final = "gpu1"
INTERFACE: Final = f"ve-{_NAME}"
"""The control plane's end of the machine's only link."""
_BOOT_S: Final = 90
_STANDINS: Final = Path(__file__).parent / "standins"
"""Programs in the place of NVIDIA's."""
_WRITABLE: Final = """
for hierarchy in /sys/fs/cgroup/*/; do mount -o remount,bind,rw,nosuid,nodev,noexec "$hierarchy" || true; done
mount -o remount,rw /sys/fs/cgroup || true
mount -o remount,rw /sys
mount -o remount,rw /proc/sys
"""
"""Docker makes cgroups and changes settings of the network; nspawn mounts both read-only."""
_FORWARDED: Final = {
    "registry.socket": f"""[Socket]
ListenStream=127.0.0.1:{REGISTRY_PORT}
[Install]
WantedBy=sockets.target
""",
    "registry.service": f"""[Service]
ExecStart=/lib/systemd/systemd-socket-proxyd {CONTROL}:{REGISTRY_PORT}
""",
}
"""Units that bring the registry to the machine's loopback: without TLS, Docker speaks to no other address."""


@dataclass(frozen=True)
class Machine:
    """A booted machine. `init` is its first process, by the number that it has here; `run` keeps a log."""

    init: int
    run: Commands
    host_key: str

    def within(self, *command: str) -> list[str]:
        """The command line that runs `command` inside the machine."""
        return ["nsenter", f"--target={self.init}", "--mount", "--uts", "--ipc", "--net", "--pid", "--", *command]

    def __call__(self, *command: str, within_s: float = 120) -> str:
        """Runs a command as root inside the machine. Raises CommandFailed."""
        return self.run(*self.within(*command), within_s=within_s)

    def shell(self, script: str, within_s: float = 120) -> str:
        """Runs a bash script as root inside the machine. Raises CommandFailed."""
        return self("bash", "-euc", script, within_s=within_s)

    def answers(self, *command: str) -> bool:
        """Whether a command inside the machine exits with status 0."""
        return self.run.succeeds(*self.within(*command))


@contextmanager
def machine(run: Commands, disk: Path, host_key: str, authorized_key: str, log: Path) -> Iterator[Machine]:
    """Boots from `disk` (ext4), lets `authorized_key` in as root, and ends the machine with the block."""
    root = disk.with_name("machine")
    root.mkdir()
    run("mount", "-o", "loop", disk, root)
    for program in _STANDINS.iterdir():
        shutil.copy(program, root / "usr/bin" / program.name)
    units = root / "etc/systemd/system"
    for name, unit in _FORWARDED.items():
        (units / name).write_text(unit)
    wanted = units / "sockets.target.wants"
    wanted.mkdir(exist_ok=True)
    (wanted / "registry.socket").symlink_to("../registry.socket")
    keys = root / "root/.ssh/authorized_keys"
    keys.parent.mkdir(mode=0o700, exist_ok=True)
    keys.write_text(f"{authorized_key}\n")
    keys.chmod(0o600)
    with log.open("wb") as said:
        nspawn = subprocess.Popen(
            [
                *("systemd-nspawn", "--quiet", "--register=no", "--keep-unit", "--boot", f"--directory={root}"),
                *(f"--machine={_NAME}", "--network-veth", "--capability=all", "--resolv-conf=off", "--console=pipe"),
                "--system-call-filter=add_key keyctl bpf",
            ],
            stdin=subprocess.DEVNULL,
            stdout=said,
            stderr=said,
            env={**os.environ, "SYSTEMD_SECCOMP": "0"},
        )
    try:
        init = until(lambda: _first_process(nspawn), "the machine's first process", _BOOT_S)
        booted = Machine(init, run, host_key)
        until(lambda: run.succeeds("ip", "link", "show", INTERFACE), f"the interface {INTERFACE}", _BOOT_S)
        for address in (CONTROL, FILES):
            run("ip", "address", "add", f"{address}/{PREFIX}", "dev", INTERFACE)
        run("ip", "link", "set", INTERFACE, "up")
        booted("ip", "address", "add", f"{MACHINE}/{PREFIX}", "dev", "host0")
        booted("ip", "link", "set", "host0", "up")
        until(lambda: booted.answers("test", "-d", "/run/systemd/system"), "systemd", _BOOT_S)
        booted.shell(_WRITABLE)
        until(_ssh_answers, f"OpenSSH at {MACHINE}", _BOOT_S)
        yield booted
    finally:
        _end(nspawn)
        run.succeeds("umount", "--lazy", root)


def _first_process(nspawn: "subprocess.Popen[bytes]") -> int:
    """0 until there is one."""
    if nspawn.poll() is not None:
        raise RuntimeError(f"systemd-nspawn has ended with status {nspawn.returncode}.")
    children = psutil.Process(nspawn.pid).children()
    return next((child.pid for child in children if child.name() == "systemd"), 0)


def _ssh_answers() -> bool:
    try:
        with socket.create_connection((MACHINE, 22), timeout=5) as connection:
            return connection.recv(4) == b"SSH-"
    except OSError:
        return False


def _end(nspawn: "subprocess.Popen[bytes]") -> None:
    """SIGTERM asks nspawn for an orderly shutdown; a machine that hangs is killed."""
    nspawn.send_signal(signal.SIGTERM)
    try:
        nspawn.wait(30)
    except subprocess.TimeoutExpired:
        nspawn.kill()
        nspawn.wait(30)
