"""The stack's own Python processes: they report when they serve, restart when they die, and end with their parent."""

import asyncio
import os
import socket
import tempfile
from asyncio.subprocess import Process
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Final

import structlog

from coldstart.last_words import last_words, size, written
from coldstart.refusals import Refused
from coldstart.supervised.process import STOP_SECONDS, Command, module, running
from shared.retry import doubled_s
from shared.variables import WRONG_SETTINGS, SettingsInvalid

START_SECONDS: Final = 90.0  # as systemd gives; a start takes two, and many times that on a machine with other work
FIRST_PAUSE_S: Final = 0.2
LONGEST_PAUSE_S: Final = 10.0

log = structlog.get_logger()


class ServiceFailed(Refused):
    """A service ended or stayed silent before it ever served, or it ended and cannot be restarted."""

    def __init__(self, name: str, log_file: Path, what: str = "did not start", *, since: int = 0) -> None:
        """`since`: the size of its log at its start."""
        super().__init__(f"{name} {what}: {last_words(log_file, since)}\nIts log is {log_file}.")


def _ignore(_: str, __: float) -> None:
    pass


class Readiness:
    """The other end of a service's NOTIFY_SOCKET (sd_notify)."""

    def __init__(self, path: Path, waits: Callable[[str, float], None] = _ignore) -> None:
        """`waits` is called when a service that starts asks for so many seconds more, with what it waits for."""
        self._waits = waits
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.setblocking(False)
        self._socket.bind(str(path))
        self.path = path

    async def ready(self) -> None:
        while True:
            said = (await asyncio.get_running_loop().sock_recv(self._socket, 4096)).decode(errors="replace")
            told = dict(line.split("=", 1) for line in said.splitlines() if "=" in line)
            if told.get("READY") == "1":
                return
            if (more := told.get("EXTEND_TIMEOUT_USEC", "")).isdecimal():
                self._waits(told.get("STATUS", ""), int(more) / 1e6)

    def close(self) -> None:
        self._socket.close()
        self.path.unlink(missing_ok=True)


class Service:
    """One module run as a process while `supervised` is entered. `pid` changes at a restart."""

    def __init__(
        self, module: str, environment: Mapping[str, str], log_file: Path, *, stop_s: float = STOP_SECONDS
    ) -> None:
        self.name = module.rpartition(".")[2]
        self.module = module
        self.environment = environment
        self.log_file = log_file
        self._stop_s = stop_s
        self.starts = 0
        self._logged = 0
        self._process: Process | None = None
        self._serving = asyncio.Event()
        self._limit: asyncio.Timeout | None = None
        self._status = ""

    @property
    def pid(self) -> int | None:
        return self._process.pid if self._process else None

    async def serving(self) -> None:
        """Wait until it serves."""
        await self._serving.wait()

    @asynccontextmanager
    async def supervised(self) -> AsyncGenerator["Service"]:
        """Raises like `_keep` if its first start fails; later it is restarted whenever it ends."""
        with tempfile.TemporaryDirectory(prefix="coldstart-") as folder:
            readiness = Readiness(Path(folder) / "notify", self._wait_longer)
            keeping = asyncio.create_task(self._keep(readiness))
            serving = asyncio.create_task(self._serving.wait())
            try:
                with suppress(TimeoutError):
                    async with asyncio.timeout(START_SECONDS) as self._limit:
                        await asyncio.wait({keeping, serving}, return_when=asyncio.FIRST_COMPLETED)
                self._limit = None
                if keeping.done():
                    keeping.result()
                if not self._serving.is_set():
                    what = f"did not start within {START_SECONDS:g} s"
                    raise ServiceFailed(self.name, self.log_file, what, since=self._logged)
                yield self
            finally:
                for task in (keeping, serving):
                    task.cancel()
                    with suppress(asyncio.CancelledError, ServiceFailed, SettingsInvalid):
                        await task
                readiness.close()

    def _wait_longer(self, status: str, seconds: float) -> None:
        """A service that waits for a server of somebody else's is not given up."""
        if status != self._status:
            log.warning("service does not serve yet", service=self.name, status=status)
        self._status = status
        if self._limit is not None and not self._limit.expired():
            self._limit.reschedule(max(self._limit.when() or 0.0, asyncio.get_running_loop().time() + seconds))

    async def _keep(self, readiness: Readiness) -> None:
        """Raises ServiceFailed or SettingsInvalid if the first start fails."""
        failures, self._logged = 0, size(self.log_file)
        while True:
            environment = {**self.environment, "NOTIFY_SOCKET": str(readiness.path)}
            async with logging_to(self.log_file, module(self.module, environment, stop_s=self._stop_s)) as process:
                self._process = process
                self.starts += 1
                served = await self._serve(process, readiness)
            if not served and self.starts == 1:
                if process.returncode == WRONG_SETTINGS:
                    raise SettingsInvalid(written(self.log_file, self._logged).strip())
                raise ServiceFailed(self.name, self.log_file, since=self._logged)
            failures = 0 if served else failures + 1
            pause = doubled_s(max(1, failures), FIRST_PAUSE_S, LONGEST_PAUSE_S)
            log.warning("service ended", service=self.name, status=process.returncode, retry_in_s=pause)
            await asyncio.sleep(pause)

    async def _serve(self, process: Process, readiness: Readiness) -> bool:
        """Wait until the process ends; returns whether it had served."""
        ending = asyncio.create_task(process.wait())
        becoming_ready = asyncio.create_task(readiness.ready())
        try:
            await asyncio.wait({ending, becoming_ready}, return_when=asyncio.FIRST_COMPLETED)
            if ending.done():
                return False
            self._serving.set()
            await ending
            return True
        finally:
            self._serving.clear()
            for task in (ending, becoming_ready):
                task.cancel()


@asynccontextmanager
async def logging_to(log_file: Path, command: Command, *, stdout: int | None = None) -> AsyncGenerator[Process]:
    """Run it while the block runs; its output is appended to `log_file`, standard output only without `stdout`."""
    output = os.open(log_file, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    try:
        async with running(command, output, stdout=stdout) as process:
            yield process
    finally:
        os.close(output)
