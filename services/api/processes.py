"""Several api processes on one port: their parent starts them, starts one again that dies, and ends them together."""

import asyncio
import os
import socket
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

import structlog

from services.api.app import Api
from services.api.http.server import url_of
from services.api.records.place import created_records
from services.api.records.shared_records import SharedRecords
from services.api.settings import ApiSettings
from shared.retry import doubled_s
from shared.running import StartRefused, alongside
from shared.service_manager import notify

_FIRST_PAUSE_S: Final = 0.2
_LONGEST_PAUSE_S: Final = 10.0
_LAST_STEPS_S: Final = 4.0
"""How much longer than its answers' time a process may take to end."""

log = structlog.get_logger()


@asynccontextmanager
async def several(settings: ApiSettings) -> AsyncIterator[Api]:
    """Serve by `settings.api_processes` processes until the block ends. It begins when all of them serve.

    Raises StartRefused if one of them ends before.
    """
    with (
        _reserved(settings.api_host, settings.api_port) as port,
        TemporaryDirectory(prefix="coldstart-api-") as folder,
        created_records(Path(folder), settings.api_processes) as records,
    ):
        supervised = _Supervised(settings, port, Path(folder), records)
        try:
            async with alongside(*(supervised.keep(process) for process in range(settings.api_processes))):
                await supervised.all_serve()
                yield Api(url_of(settings.api_host, port), None)
        except* StartRefused as refused:
            raise refused.exceptions[0] from None


class _Supervised:
    def __init__(self, settings: ApiSettings, port: int, folder: Path, records: SharedRecords) -> None:
        self._settings = settings
        self._port = port
        self._folder = folder
        self._records = records
        self._served = [asyncio.Event() for _ in range(settings.api_processes)]

    async def all_serve(self) -> None:
        for served in self._served:
            await served.wait()

    async def keep(self, process: int) -> None:
        """Run this process for ever; the owner cancels it. Raises StartRefused if it never serves."""
        failures = 0
        while True:
            ready = asyncio.Event()
            status = await self._run(process, ready)
            self._records.forget(process)
            if not self._served[process].is_set():
                raise StartRefused(f"A process of the api ended with status {status} before it served; see its log.")
            failures = 1 if ready.is_set() else failures + 1
            pause_s = doubled_s(failures, _FIRST_PAUSE_S, _LONGEST_PAUSE_S)
            log.warning("process ended", process=process, status=status, retry_in_s=pause_s)
            await asyncio.sleep(pause_s)

    async def _run(self, process: int, ready: asyncio.Event) -> int:
        """Run it once; returns its exit status. If this is cancelled, the process is asked to end, and then killed."""
        path = self._folder / f"ready-{process}"
        path.unlink(missing_ok=True)
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as told:
            told.setblocking(False)
            told.bind(str(path))
            child = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "services.api.process"),
                *(str(process), str(self._settings.api_processes), str(self._folder)),
                stdin=PIPE,
                env={**os.environ, "COLDSTART_API_PORT": str(self._port), "NOTIFY_SOCKET": str(path)},
                start_new_session=True,  # Ctrl-C is for the parent alone
            )
            hearing = asyncio.create_task(self._hear(told, process, ready))
            try:
                return await child.wait()
            finally:
                hearing.cancel()
                await self._ended(child)

    async def _hear(self, told: socket.socket, process: int, ready: asyncio.Event) -> None:
        """The other end of the process's NOTIFY_SOCKET (sd_notify)."""
        while "READY=1" not in (said := (await asyncio.get_running_loop().sock_recv(told, 4096)).decode()):
            if said.startswith("EXTEND_TIMEOUT"):
                notify(said)  # it waits for a server, and so do we
        log.info("process serves", process=process)
        ready.set()
        self._served[process].set()

    async def _ended(self, child: Process) -> None:
        with suppress(ProcessLookupError):
            child.terminate()
        try:
            async with asyncio.timeout(self._settings.shutdown_seconds + _LAST_STEPS_S):
                await child.wait()
        except TimeoutError:
            log.warning("process did not stop in time", pid=child.pid)
            child.kill()
            await child.wait()


@contextmanager
def _reserved(host: str, port: int) -> Iterator[int]:
    """Keep a port for the processes, which listen on it side by side; yields its number. Raises OSError if it is taken.

    The kernel would let any process of this user listen there, too. So it is taken for this one alone at first.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.create_server((host, port), family=family) as alone:
        port = alone.getsockname()[1]
    with socket.socket(family, socket.SOCK_STREAM) as kept:
        kept.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        kept.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        kept.bind((host, port))
        yield port
