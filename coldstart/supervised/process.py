"""One child process, an embedded server or a service: started by the launcher, and always ended."""

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
import structlog

from coldstart.supervised.launcher import ProcessLaunch

_LAUNCHER: Final = Path(__file__).with_name("launcher.py")
STOP_SECONDS: Final = 15.0
BARE: Final[Mapping[str, str]] = {"PATH": os.defpath, "LC_ALL": "C"}
"""An environment without our variables."""
_LEFTOVER_SECONDS: Final = 5.0
_PAUSE_SECONDS: Final = 0.02
_KERNEL_SIGNALS_PARENT_DEATH: Final = sys.platform == "linux"

log = structlog.get_logger()


@dataclass(frozen=True)
class Command:
    """A program and how to run it.

    `account` is the (uid, gid) to run as, or None for our own. `stop_signal` asks it to end, within `stop_s` seconds.
    `inherited` are file descriptors, which keep their numbers in the program. A program that needs more than
    `most_memory` bytes ends; with that limit it also runs at a lower processor priority. `owns_folder`: nobody else
    runs this program in `folder`, so its leftover processes there are ended, too.
    """

    program: Path
    options: Sequence[str]
    folder: Path
    stop_signal: signal.Signals
    account: tuple[int, int] | None = None
    environment: Mapping[str, str] = field(default_factory=lambda: BARE)
    inherited: Sequence[int] = ()
    most_memory: int | None = None
    owns_folder: bool = True
    stop_s: float = STOP_SECONDS


def module(name: str, environment: Mapping[str, str], *, stop_s: float = STOP_SECONDS) -> Command:
    """One of our Python modules, in the current folder, with our environment and these variables."""
    return Command(
        program=Path(sys.executable),
        options=["-m", name],
        folder=Path.cwd(),
        stop_signal=signal.SIGTERM,
        environment={**os.environ, **environment},
        owns_folder=False,
        stop_s=stop_s,
    )


@asynccontextmanager
async def running(
    command: Command, output: int, *, stdout: int | None = None, lifeline: bool = not _KERNEL_SIGNALS_PARENT_DEATH
) -> AsyncIterator[Process]:
    """Run the command while the body runs. Its output goes to the file descriptor `output`.

    `stdout` is for its standard output alone: a descriptor, or `asyncio.subprocess.PIPE`.

    The process also ends when the thread that entered this ends, even by kill -9: on Linux the kernel signals it,
    elsewhere a watching process sees a pipe close (`lifeline`). So enter this in the event loop's thread.
    """
    with contextlib.ExitStack() as pipes:
        reading = _pipe(pipes) if lifeline else None
        process = await _launched(command, output, output if stdout is None else stdout, reading)
        try:
            yield process
        finally:
            await stopped(process, command.stop_signal, command.stop_s)
            if command.owns_folder:
                await end_leftovers(command.program.name, command.folder, command.stop_signal, grace=0.0)


def _pipe(pipes: contextlib.ExitStack) -> int:
    reading, writing = os.pipe()
    pipes.callback(os.close, reading)
    pipes.callback(os.close, writing)
    return reading


async def _launched(command: Command, output: int, stdout: int, lifeline: int | None) -> Process:
    launch = ProcessLaunch(
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
        stdout=stdout,
        stderr=output,
        env=command.environment,
        pass_fds=[*command.inherited, *([] if lifeline is None else [lifeline])],
        start_new_session=True,  # Ctrl-C is for the stack alone, which stops its servers last
    )


async def stopped(process: Process, stop_signal: signal.Signals = signal.SIGTERM, stop_s: float = STOP_SECONDS) -> None:
    """Signal it to end, wait for `stop_s`, then kill it."""
    with contextlib.suppress(ProcessLookupError):
        process.send_signal(stop_signal)
    try:
        async with asyncio.timeout(stop_s):
            await process.wait()
    except TimeoutError:
        log.warning("process did not stop in time", pid=process.pid)
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()


async def end_leftovers(
    program: str, folder: Path, stop_signal: signal.Signals, *, grace: float = _LEFTOVER_SECONDS
) -> None:
    """End every process of this program that works in `folder`: by `stop_signal`, and after `grace` seconds by SIGKILL.

    A server whose starter was killed may still be shutting down. A PostgreSQL backend whose postmaster was killed keeps
    its shared memory, and no new server can start until it ends.
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
    while _working_in(folder, program):  # noqa: ASYNC110 (nothing signals the end of a process that is not our child)
        await asyncio.sleep(_PAUSE_SECONDS)


def _working_in(folder: Path, program: str) -> list[psutil.Process]:
    """Live processes with this name and working directory. Zombies and processes of other users are left out."""
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
