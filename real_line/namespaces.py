"""Namespaces of one run: processes, network, mounts, cgroups. When their first process ends, all of it is gone.

Nothing else is left behind by a run that was killed: no process, route, address, mount or container.
"""

import os
import signal
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import psutil

_CGROUPS: Final = Path("/sys/fs/cgroup")
_UNSHARE: Final = ("unshare", "--net", "--mount", "--uts", "--ipc", "--pid", "--fork", "--kill-child", "--mount-proc")


def run_apart(command: Sequence[str]) -> int:
    """Runs `command` as the first process of new namespaces and in cgroups of its own; returns its exit status.

    On Ctrl-C both processes get the signal, and SIGTERM is passed on: the command ends what it has begun, and we wait.
    """
    group = f"coldstart-real-{os.getpid()}"
    previous = {number: signal.signal(number, signal.SIG_IGN) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        with subprocess.Popen([*_UNSHARE, *command], preexec_fn=lambda: _begin(group)) as process:  # noqa: PLW1509 - no threads here
            signal.signal(signal.SIGTERM, lambda *_: _pass_on(process.pid))
            return process.wait()
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
        remove_cgroups(group)


def _pass_on(unshare: int) -> None:
    """The program unshare holds SIGTERM back while it waits for its child, the first process of the namespaces."""
    for child in psutil.Process(unshare).children():
        child.terminate()


def _begin(group: str) -> None:
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_DFL)
    _enter_cgroups(group)


def _enter_cgroups(group: str) -> None:
    """In each hierarchy: version 1 has one for each controller, version 2 a single one."""
    for hierarchy in _hierarchies():
        ours = hierarchy / group
        ours.mkdir(exist_ok=True)
        for name in ("cpuset.cpus", "cpuset.mems"):  # in version 1, a new cpuset has none, and takes no process
            if (ours / name).exists() and (hierarchy / "tasks").exists():
                (ours / name).write_text((hierarchy / name).read_text())
        (ours / "cgroup.procs").write_text(str(os.getpid()))


def remove_cgroups(group: str) -> None:
    """Removes the group and what was created below it. Their processes have ended with the namespaces."""
    for hierarchy in _hierarchies():
        ours = hierarchy / group
        below = sorted(ours.rglob("*/"), key=lambda path: -len(path.parts)) if ours.exists() else []
        for folder in (*below, ours):
            if folder.is_dir():
                folder.rmdir()


def _hierarchies() -> list[Path]:
    if (_CGROUPS / "cgroup.procs").exists():
        return [_CGROUPS]
    return [path for path in sorted(_CGROUPS.iterdir()) if not path.is_symlink() and (path / "cgroup.procs").exists()]
