"""What runs of the stack in a data folder, by the system's list of processes. It changes nothing."""

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import psutil

from coldstart.embedded.folder import ServerFolder
from coldstart.stack.stack import SERVICES

_STACK: Final = "stack"
_SERVERS: Final = {"nats": "nats-server", "followers": "nats-server", "postgres": "postgres"}
"""The embedded servers by their folders, with their programs."""
_UP: Final = "up"


@dataclass(frozen=True)
class Part:
    """A service or an embedded server. Without a `pid` it has ended and is being started again."""

    name: str
    pid: int | None
    since: datetime | None
    port: int | None = None


@dataclass(frozen=True)
class Present:
    """`process` is `coldstart up`; `parts` are what it has started, servers first."""

    process: psutil.Process
    parts: tuple[Part, ...]

    @property
    def since(self) -> datetime:
        return _since(self.process)


def stack_process(data_dir: Path) -> psutil.Process | None:
    """The `coldstart up` that runs or starts in this folder; None if there is none.

    It holds the lock of the folder, so a pid that was given to another program meanwhile is not taken for it.
    """
    lock = ServerFolder(data_dir, _STACK).path / "lock"
    with suppress(OSError, ValueError, psutil.NoSuchProcess):
        process = psutil.Process(int(lock.read_text()))
        if _UP in process.cmdline() and _may_hold(process, lock):
            return process
    return None


def present(data_dir: Path) -> Present | None:
    """None if no stack runs there."""
    process = stack_process(data_dir)
    if process is None:
        return None
    try:
        return Present(process, (*_servers(process, data_dir), *_services(process)))
    except psutil.NoSuchProcess:  # it has just ended
        return None


def _may_hold(process: psutil.Process, lock: Path) -> bool:
    try:
        return str(lock.resolve()) in {file.path for file in process.open_files()}
    except psutil.AccessDenied:  # it is another account's
        return True


def _servers(process: psutil.Process, data_dir: Path) -> Iterator[Part]:
    children = process.children()
    for name, program in _SERVERS.items():
        folder = ServerFolder(data_dir, name)
        if (folder.path / "lock").exists() and _may_hold(process, folder.path / "lock"):
            own = next((each for each in children if _works_in(each, program, folder.data)), None)
            yield _part(name, own, folder.port)


def _services(process: psutil.Process) -> Iterator[Part]:
    children = {word: each for each in process.children() for word in _words(each)}
    for module in SERVICES:
        own = children.get(module)
        yield _part(module.rpartition(".")[2], own)


def _part(name: str, process: psutil.Process | None, port: int | None = None) -> Part:
    return Part(name, process.pid, _since(process), port) if process else Part(name, None, None, port)


def _works_in(process: psutil.Process, program: str, folder: Path) -> bool:
    with suppress(psutil.Error):
        return process.name() == program and process.cwd() == str(folder.resolve())
    return False


def _words(process: psutil.Process) -> list[str]:
    with suppress(psutil.Error):
        return process.cmdline()
    return []


def _since(process: psutil.Process) -> datetime:
    return datetime.fromtimestamp(process.create_time(), UTC)
