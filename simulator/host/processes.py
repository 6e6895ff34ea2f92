"""Every process of one machine, found by an environment variable that even detached ones inherit."""

import time
from contextlib import suppress
from typing import Final

import psutil

MARKER: Final = "SIMULATED_MACHINE"
_LEAVING_SECONDS: Final = 5.0
_STARTED_SECONDS: Final = 5.0
"""How long a process may have the environment of the one that has started it."""
_others: Final = set[tuple[int, float]]()
"""Processes of no machine, by pid and start: to read each one's environment again costs more than all else here."""


def freeze(machine: str) -> None:
    """Suspend them all, so that none sees another one end first."""
    frozen: set[int] = set()
    while found := [process for process in _marked(machine) if process.pid not in frozen]:
        for process in found:
            frozen.add(process.pid)
            with suppress(psutil.NoSuchProcess):
                process.suspend()


def end_all(machine: str) -> None:
    """Kill until none is left. Raises psutil.TimeoutExpired if one cannot be killed."""
    while found := _marked(machine):
        for process in found:
            with suppress(psutil.NoSuchProcess):
                process.kill()
        _, alive = psutil.wait_procs(found, timeout=_LEAVING_SECONDS)
        if alive:
            raise psutil.TimeoutExpired(_LEAVING_SECONDS, alive[0].pid)


def running(machine: str) -> list[int]:
    """The pids of its processes."""
    return [process.pid for process in _marked(machine)]


def _marked(machine: str) -> list[psutil.Process]:
    marked = []
    for process in psutil.process_iter():
        identity = (process.pid, process.create_time())
        if identity in _others:
            continue
        found = _machine_of(process)
        if found == machine:
            marked.append(process)
        elif found is None and time.time() - identity[1] > _STARTED_SECONDS:
            _others.add(identity)
    return marked


def _machine_of(process: psutil.Process) -> str | None:
    """None if it has ended, or belongs to no machine, to another user or to the kernel."""
    try:
        environment = process.environ()
        return None if process.status() == psutil.STATUS_ZOMBIE else environment.get(MARKER)
    except (psutil.NoSuchProcess, psutil.AccessDenied):
        return None
