"""Becomes a server program that ends when the thread that started it does.

It runs by its path as a separate process, so that none of this happens between fork and exec of a program with
threads. Standard library only; its one argument is a `ProcessLaunch` as JSON.
"""

import contextlib
import ctypes
import json
import os
import resource
import signal
import subprocess
import sys
import threading
from typing import Final, TypedDict

_POLITE: Final = 10
_PR_SET_PDEATHSIG: Final = 1  # <linux/prctl.h>
_WAITED_FOR: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGQUIT, signal.SIGCHLD)


class ProcessLaunch(TypedDict):
    """What to become: `command` in `folder`, as `account` (uid, gid) if one is given.

    `parent` is the process that starts it. `lifeline` is the reading end of a pipe that the parent holds open, for
    systems that cannot signal a parent's death, or None on Linux. The server may use the `inherited` file descriptors.
    `most_memory` is in bytes: a server that exceeds it ends. With a limit it also gets a lower processor priority.
    """

    command: list[str]
    folder: str
    account: tuple[int, int] | None
    stop_signal: int
    parent: int
    lifeline: int | None
    inherited: list[int]
    most_memory: int | None


def main(launch: ProcessLaunch) -> None:
    """Become the server, or watch it where the kernel cannot signal the parent's death."""
    os.chdir(launch["folder"])  # before the account changes, which may not be able to reach it
    os.umask(0o077)
    if launch["most_memory"] is not None:
        with contextlib.suppress(ValueError):  # a smaller limit holds already
            resource.setrlimit(resource.RLIMIT_DATA, (launch["most_memory"],) * 2)
        os.nice(_POLITE)
    if launch["account"] is not None:
        uid, gid = launch["account"]
        os.setgroups([])
        os.setgid(gid)
        os.setuid(uid)
    if launch["lifeline"] is None:
        _die_with_parent(launch["stop_signal"], launch["parent"])
        os.execv(launch["command"][0], launch["command"])  # noqa: S606 (the caller's own server program)
    sys.exit(_watch(launch["command"], launch["stop_signal"], launch["lifeline"], launch["inherited"]))


def _die_with_parent(stop_signal: int, parent: int) -> None:
    """Ask Linux for `stop_signal` on the parent's death (prctl(2)). It survives exec, but not a change of uid."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(_PR_SET_PDEATHSIG, stop_signal, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_PDEATHSIG)")
    if os.getppid() != parent:
        sys.exit("the parent ended before its server began")


def _watch(command: list[str], stop_signal: int, lifeline: int, inherited: list[int]) -> int:
    """Run the server as a child; stop it when the lifeline closes. Returns its exit status, as a shell would.

    Signals are awaited, not handled: a handler may run too late, just after the wait for the child has begun.
    """
    signal.signal(signal.SIGCHLD, lambda _number, _frame: None)  # an ignored signal cannot be awaited
    signal.pthread_sigmask(signal.SIG_BLOCK, _WAITED_FOR)
    server = subprocess.Popen(  # noqa: S603 (the caller's own server program)
        command,
        pass_fds=inherited,
        preexec_fn=_unblock,  # noqa: PLW1509 (there is no other thread yet)
    )

    def stop_when_it_closes() -> None:
        os.read(lifeline, 1)
        os.kill(os.getpid(), stop_signal)

    threading.Thread(target=stop_when_it_closes, daemon=True).start()
    while (status := server.poll()) is None:
        number = signal.sigwait(_WAITED_FOR)
        if number != signal.SIGCHLD:
            server.send_signal(number)
    return 128 - status if status < 0 else status


def _unblock() -> None:
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _WAITED_FOR)


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
