"""Every process of one machine, found by an environment variable that even detached ones inherit."""

from contextlib import suppress
from typing import Final

import psutil

MARKER: Final = "SIMULATED_MACHINE"
_LEAVING_SECONDS: Final = 5.0


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
        try:
            if process.environ().get(MARKER) == machine and process.status() != psutil.STATUS_ZOMBIE:
                marked.append(process)
        except (psutil.NoSuchProcess, psutil.AccessDenied):
            # It has ended, or belongs to another user. In both cases it is not ours.
            continue
    return marked
