"""Services as processes that are forked from one that has imported them all: started in a moment."""

import asyncio
import importlib
import os
import signal
import sys
import tempfile
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager, suppress
from multiprocessing import get_context
from multiprocessing.context import ForkServerProcess
from pathlib import Path
from typing import Any, Final

from coldstart.stack.processes import Readiness

START_S: Final = 60.0
FORKING: Final = get_context("forkserver")
FORKING.set_forkserver_preload(
    [
        *(f"services.{name}.__main__" for name in ("api", "health", "progress", "provisioner", "scaler", "webhooks")),
        "services.provisioner.providers.scaleway.provider",  # the SDK, which the provisioner loads when it needs it
    ]
)


def write_to(log_file: str) -> None:
    """Whatever this process prints from now on."""
    output = os.open(log_file, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    for stream in (1, 2):
        os.dup2(output, stream)


def serve(module: str, environment: Mapping[str, str], log_file: str) -> None:
    """The whole life of one process: what `python -m` would do."""
    write_to(log_file)
    signal.signal(signal.SIGUSR2, _tell_what_is_awaited)
    os.environ.update(environment)
    sys.argv = [module]
    importlib.import_module(f"{module}.__main__").main()


def _tell_what_is_awaited(_number: int, _frame: object) -> None:
    """Of every task, what it awaits, from the outside in."""
    for task in list(asyncio.tasks._all_tasks):  # type: ignore[attr-defined]
        print(f"awaits: {task.get_name()}", file=sys.stderr)  # noqa: T201
        awaited = None if task.done() else task.get_coro()
        while awaited is not None:
            frame = _first_of(awaited, "cr_frame", "gi_frame", "ag_frame")
            if frame is not None:
                print(f"    {frame.f_code.co_filename}:{frame.f_lineno} {frame.f_code.co_name}", file=sys.stderr)  # noqa: T201
            awaited = _first_of(awaited, "cr_await", "gi_yieldfrom", "ag_await")


def _first_of(owner: object, *names: str) -> Any:
    return next((found for name in names if (found := getattr(owner, name, None)) is not None), None)


class Forked:
    """One module run as a process for as long as `supervised` is entered, and started again whenever it ends."""

    def __init__(self, module: str, environment: Mapping[str, str], log_file: Path) -> None:
        self.starts = 0
        self.pid: int | None = None
        self._module = module
        self._environment = environment
        self._log_file = log_file
        self._serving = asyncio.Event()

    @property
    def is_serving(self) -> bool:
        return self._serving.is_set()

    async def serving(self) -> None:
        """Until it serves; at once when it does."""
        await self._serving.wait()

    @asynccontextmanager
    async def supervised(self) -> AsyncGenerator["Forked"]:
        with tempfile.TemporaryDirectory(prefix="coldstart-") as folder:
            readiness = Readiness(Path(folder) / "notify")
            keeping = asyncio.create_task(self._keep(readiness))
            try:
                async with asyncio.timeout(START_S):
                    await self.serving()
                yield self
            finally:
                keeping.cancel()
                with suppress(asyncio.CancelledError):
                    await keeping
                readiness.close()

    async def _keep(self, readiness: Readiness) -> None:
        environment = {**self._environment, "NOTIFY_SOCKET": str(readiness.path)}
        while True:
            process = FORKING.Process(target=serve, args=(self._module, environment, str(self._log_file)))
            await asyncio.to_thread(process.start)  # the first one starts the process that the others are forked from
            self.starts += 1
            self.pid = process.pid
            becoming_ready = asyncio.create_task(self._tell(readiness))
            try:
                await _ended(process)
            finally:
                self._serving.clear()
                becoming_ready.cancel()
                process.kill()
                process.join()

    async def _tell(self, readiness: Readiness) -> None:
        await readiness.ready()
        self._serving.set()


async def _ended(process: ForkServerProcess) -> None:
    ended = asyncio.Event()
    loop = asyncio.get_running_loop()
    loop.add_reader(process.sentinel, ended.set)
    try:
        await ended.wait()
    finally:
        loop.remove_reader(process.sentinel)
