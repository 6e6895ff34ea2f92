"""One server process: started through the launcher, waited for, and always ended."""

import asyncio
import contextlib
import json
import os
import signal
import sys
from asyncio.subprocess import Process
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import psutil

from coldstart.embedded.launcher import Launch

_LAUNCHER: Final = Path(__file__).with_name("launcher.py")
_STOP_SECONDS: Final = 15.0
_LEFTOVER_SECONDS: Final = 5.0
_PAUSE_SECONDS: Final = 0.02
_KERNEL_SIGNALS_PARENT_DEATH: Final = sys.platform == "linux"


@dataclass(frozen=True)
class Command:
    """A server program and how to run it.

    `account` is the (uid, gid) to run as, None for the caller's own; `stop_signal` is the orderly end; `inherited`
    are file descriptors that the program finds under the same numbers. A program that wants more bytes than
    `most_memory` ends, and gives way to others on the processor.
    """

    program: Path
    options: Sequence[str]
    folder: Path
    stop_signal: signal.Signals
    account: tuple[int, int] | None = None
    environment: Mapping[str, str] = field(default_factory=dict)
    inherited: Sequence[int] = ()
    most_memory: int | None = None


@asynccontextmanager
async def running(
    command: Command, output: int, *, lifeline: bool = not _KERNEL_SIGNALS_PARENT_DEATH
) -> AsyncIterator[Process]:
    """Run the command while the body runs, its output going to the file descriptor `output`.

    It also ends when the thread that entered this ends, even by kill -9: on Linux the kernel signals it, elsewhere
    (`lifeline`) a watching process sees a pipe close. So enter this in the event loop's thread.
    """
    with contextlib.ExitStack() as pipes:
        reading = _pipe(pipes) if lifeline else None
        process = await _launched(command, output, reading)
        try:
            yield process
        finally:
            await _stopped(process, command)


def _pipe(pipes: contextlib.ExitStack) -> int:
    reading, writing = os.pipe()
    pipes.callback(os.close, reading)
    pipes.callback(os.close, writing)
    return reading


async def _launched(command: Command, output: int, lifeline: int | None) -> Process:
    launch = Launch(
        command=[str(command.program), *command.options],
        folder=str(command.folder),
        account=command.account,
        stop_signal=command.stop_signal,
        parent=os.getpid(),
        lifeline=lifeline,
        inherited=list(command.inherited),
        most_memory=command.most_memory,
    )
    return await asyncio.create_subprocess_exec(
        *(sys.executable, "-I", "-S", str(_LAUNCHER), json.dumps(launch)),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=output,
        stderr=output,
        env={"PATH": os.defpath, "LC_ALL": "C", **command.environment},
        pass_fds=[*command.inherited, *([] if lifeline is None else [lifeline])],
        start_new_session=True,  # a Ctrl-C is for the stack, which stops its servers last
    )


async def _stopped(process: Process, command: Command) -> None:
    with contextlib.suppress(ProcessLookupError):
        process.send_signal(command.stop_signal)
    try:
        async with asyncio.timeout(_STOP_SECONDS):
            await process.wait()
    except TimeoutError:
        pass  # it had its time; what is left is killed below
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()
        await end_leftovers(command.program.name, command.folder, command.stop_signal, grace=0.0)


async def end_leftovers(
    program: str, folder: Path, stop_signal: signal.Signals, *, grace: float = _LEFTOVER_SECONDS
) -> None:
    """End every process of this program that works in `folder`: first by `stop_signal`, after `grace` seconds by kill.

    A server whose starter was killed may still be shutting down; a PostgreSQL backend whose postmaster was killed
    keeps the shared memory, and no new server can start beside it.
    """
    leftovers = _working_in(folder, program)
    _signal(leftovers, stop_signal)
    try:
        async with asyncio.timeout(grace):
            await _gone(folder, program)
    except TimeoutError:
        _signal(_working_in(folder, program), signal.SIGKILL)
        async with asyncio.timeout(_LEFTOVER_SECONDS):
            await _gone(folder, program)


async def _gone(folder: Path, program: str) -> None:
    while _working_in(folder, program):  # noqa: ASYNC110 (the end of another's process sets no event)
        await asyncio.sleep(_PAUSE_SECONDS)


def _working_in(folder: Path, program: str) -> list[psutil.Process]:
    """Live processes by name and working directory; a zombie has none, and another user's is not ours to end."""
    found, place = [], str(folder.resolve())
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            if process.name() == program and process.cwd() == place:
                found.append(process)
    return found


def _signal(processes: list[psutil.Process], number: signal.Signals) -> None:
    for process in processes:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.send_signal(number)
