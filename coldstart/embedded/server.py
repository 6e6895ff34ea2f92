"""What the embedded servers have in common: one owner, a port, a checked start, an orderly end."""

import asyncio
import contextlib
import os
import signal
from abc import ABC, abstractmethod
from asyncio.subprocess import Process
from contextlib import AsyncExitStack
from pathlib import Path
from types import TracebackType
from typing import ClassVar, Final, NoReturn, Self

from coldstart.embedded.errors import EmbeddedServerError, ServerEndedError, StartFailedError
from coldstart.embedded.folder import ServerFolder
from coldstart.embedded.ports import candidates
from coldstart.supervised.process import Command, end_leftovers, running

_START_SECONDS: Final = 60.0  # long enough for a recovery after a crash
_PROBE_SECONDS: Final = 5.0
_PAUSE_SECONDS: Final = 0.01
_PORT_TAKEN: Final = "address already in use"  # both servers' message, in any case


class EmbeddedServer(ABC):
    """An async context manager: inside it, the server runs and `url` reaches it.

    Enter it in the event loop's thread: the server ends with that thread.
    """

    name: ClassVar[str]
    program: ClassVar[str]
    stop_signal: ClassVar[signal.Signals]
    not_yet: ClassVar[tuple[type[Exception], ...]]
    """What `probe` raises while the server is starting, besides OSError."""

    def __init__(self, data_dir: Path, *, port: int = 0) -> None:
        """Keep the server's files in `data_dir`. `port` 0: the previous port if it is free, else any free one."""
        self.folder = ServerFolder(data_dir, self.name)
        self._wanted_port = port
        self._cleanup = AsyncExitStack()
        self._run = AsyncExitStack()
        self._process: Process
        self.url: str
        """The running server's address, with the password."""

    @property
    def pid(self) -> int:
        return self._process.pid

    async def __aenter__(self) -> Self:
        """Start the server; raises EmbeddedServerError."""
        async with AsyncExitStack() as cleanup:
            cleanup.enter_context(self.folder.locked())
            await self._start()
            cleanup.push_async_callback(self._stop)
            self._cleanup = cleanup.pop_all()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._cleanup.__aexit__(kind, error, trace)

    async def ended(self) -> NoReturn:
        """Wait until the server ends by itself and raise ServerEndedError. Cancel this before leaving the context."""
        status = await self._process.wait()
        raise ServerEndedError(self.name, status, self.folder.log)

    async def start_again(self) -> None:
        """Stop what is left of it, and start it on the same port. Raises EmbeddedServerError.

        A server that fails to start may be started again, too.
        """
        await self._stop()
        self._wanted_port = self.folder.port or self._wanted_port
        try:
            await self._start()
        except OSError as error:  # a full disk has no room for its log
            raise EmbeddedServerError(f"the embedded {self.name} cannot be started again: {error}") from error

    async def write_error(self) -> str | None:
        """Why the running server stores nothing until it is started again, in its own words; None if it does."""
        return None

    async def _start(self) -> None:
        await end_leftovers(self.program, self.folder.data, self.stop_signal)
        await self.prepare()
        async with AsyncExitStack() as run:
            self._process, port = await self._started(run)
            self.folder.port = port
            self.url = self.url_on(port)
            await self.welcome(port)
            self._run = run.pop_all()

    async def _stop(self) -> None:
        await self._run.aclose()

    @abstractmethod
    def url_on(self, port: int) -> str: ...

    @abstractmethod
    async def prepare(self) -> None:
        """Make the data folder, with everything that the server needs to start."""

    @abstractmethod
    def command(self, port: int) -> Command: ...

    @abstractmethod
    async def probe(self, port: int) -> None:
        """Connect as a client. Raises OSError or one of `not_yet` if the server does not work."""

    async def welcome(self, port: int) -> None:  # noqa: B027 (nothing to do is the usual case)
        """Make what clients expect, in a server that has just become ready."""

    async def _started(self, cleanup: AsyncExitStack) -> tuple[Process, int]:
        """Start on the first candidate port that no other process takes before the server does."""
        taken: StartFailedError | None = None
        for port in candidates(self._wanted_port, self.folder.port):
            async with AsyncExitStack() as attempt:
                process = await self.run(self.command(port), attempt)
                try:
                    await self._ready(process, port)
                except StartFailedError as error:
                    if _PORT_TAKEN not in error.log_tail.lower():
                        raise
                    taken = error
                else:
                    cleanup.push_async_exit(attempt.pop_all())
                    return process, port
        assert taken is not None  # noqa: S101 (there is always a candidate, and each either returns or is taken)
        raise taken

    async def run(self, command: Command, cleanup: AsyncExitStack) -> Process:
        """Start the command with a new log, to be stopped by `cleanup`."""
        log = self.folder.new_log()
        try:
            return await cleanup.enter_async_context(running(command, log))
        finally:
            os.close(log)

    async def _ready(self, process: Process, port: int) -> None:
        try:
            async with asyncio.timeout(_START_SECONDS):
                while not await self._answers(port):
                    with contextlib.suppress(TimeoutError):
                        async with asyncio.timeout(_PAUSE_SECONDS):
                            status = await process.wait()
                            raise self._failed(f"the embedded {self.name} ended with status {status} while starting")
        except TimeoutError:
            raise self._failed(f"the embedded {self.name} was not ready after {_START_SECONDS:.0f} s") from None

    async def _answers(self, port: int) -> bool:
        try:
            async with asyncio.timeout(_PROBE_SECONDS):
                await self.probe(port)
        except OSError:  # refused, or timed out
            return False
        except self.not_yet:
            return False
        return True

    def _failed(self, what: str) -> StartFailedError:
        return StartFailedError(what, self.folder.log, self.folder.log_tail())
