"""Becomes a server program, which ends when the thread that started it ends.

It is a separate process, so that a program with threads need not do any of this between fork and exec. It uses the
standard library only. Its one argument is a `ProcessLaunch` as JSON.
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
    """`command` runs in `folder`, as `account` (uid, gid) if one is given.

    `parent` is the pid of the process that starts it. `lifeline` is None on Linux; elsewhere it is the reading end of a
    pipe that the parent holds open, since only Linux signals the death of a parent. The server may use the `inherited`
    file descriptors. It ends when it needs more than `most_memory` bytes; with that limit it also runs at a lower
    processor priority.
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
    os.chdir(launch["folder"])  # the account set below may not be able to enter it
    os.umask(0o077)
    if launch["most_memory"] is not None:
        with contextlib.suppress(ValueError):  # a smaller limit is set already
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
    """Ask Linux for `stop_signal` when the parent dies. A change of uid cancels this, exec does not (prctl(2))."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(_PR_SET_PDEATHSIG, stop_signal, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_PDEATHSIG)")
    if os.getppid() != parent:
        sys.exit("the parent process ended before the server started")


def _watch(command: list[str], stop_signal: int, lifeline: int, inherited: list[int]) -> int:
    """Run the server as a child, and stop it when the lifeline closes. Returns its exit status, as a shell does.

    Signals are awaited, not handled: a handler might run only after the wait for the child has begun.
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
