"""The line itself, as the first process of its namespaces: boots the machine, starts the stack, plays the scenes."""

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from pydantic import TypeAdapter

from real_line.addresses import CONTROL, FILES, HUB_PORT, REGISTRY_PORT
from real_line.commands import Commands
from real_line.line import Line
from real_line.machine import machine
from real_line.preparation import Prepared
from real_line.registry import registry
from real_line.report import Report
from real_line.scenes import SCENES
from real_line.stack import Stack
from real_line.versions import DEFAULT, Version

_BYTES_A_SECOND: Final = 12_000_000


@dataclass(frozen=True)
class Run:
    """`folder` is for this run alone and is removed after it; `logs` stay."""

    version: Version
    prepared: Prepared
    folder: Path
    logs: Path
    only: tuple[str, ...] = ()

    def save(self, path: Path) -> None:
        path.write_bytes(_RUN.dump_json(self))

    @classmethod
    def load(cls, path: Path) -> "Run":
        return _RUN.validate_json(path.read_bytes())


_RUN: Final = TypeAdapter(Run)


def play(run: Run, keep: Callable[[Report], None]) -> Report:
    """Plays every scene, or those that `run.only` names, and returns what was seen; `keep` gets it after each scene."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    commands = Commands(run.logs / "commands.log")
    commands("ip", "link", "set", "lo", "up")
    commands("mount", "-t", "tmpfs", "tmpfs", "/run")  # where nspawn leaves its locks
    with ExitStack() as ends:
        settings = {} if run.version.number == DEFAULT else {"COLDSTART_VLLM_IMAGE": run.version.image}
        stack = Stack(run.folder / "data", run.logs / "stack.log", settings)
        ends.callback(shutil.copytree, stack.data_dir / "logs", run.logs / "services", ignore_dangling_symlinks=True)
        disk = run.folder / "disk.ext4"
        commands("cp", "--sparse=always", "--reflink=auto", run.prepared.machine / "disk.ext4", disk)
        host_key = (run.prepared.machine / "host_key.pub").read_text().strip()
        key = stack.command("ssh-key", "--new").strip()
        booted = ends.enter_context(machine(commands, disk, host_key, key, run.logs / "machine.log"))
        log = run.logs / "registry.log"
        ends.enter_context(
            registry(run.prepared.registry_program, run.prepared.registry, REGISTRY_PORT, log, address=CONTROL)
        )
        ends.enter_context(_hub(run.prepared.models, run.logs / "hub.log"))
        ends.enter_context(stack.running(host_key))
        line = Line(run.version, booted, stack, run.logs / "checks.log")
        for name, scene in SCENES.items():
            if not run.only or name in run.only:
                line.play(name, scene)
                keep(Report.of(line))
        return Report.of(line)


@contextmanager
def _hub(models: Path, log: Path) -> Iterator[None]:
    files = f"http://{FILES}:{HUB_PORT}"
    command = [sys.executable, "-m", "real_line.hub", str(HUB_PORT), files, str(models), str(_BYTES_A_SECOND)]
    with log.open("wb") as said:
        process = subprocess.Popen(command, stdout=said, stderr=said, env=os.environ)
    try:
        yield
    finally:
        process.terminate()
        process.wait(30)
