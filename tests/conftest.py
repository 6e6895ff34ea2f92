"""Real servers for every test that needs one: an account of its own in NATS, a database of its own in PostgreSQL.

A plain function that asks for none of them is pure, and `make test-fast` runs it; `real` marks those that are not.
What a test has recorded as a property named `SUMMARY` is a line of the run's summary, also when it passed.
"""

import asyncio
import gc
import inspect
import itertools
import logging
import os
import re
import shutil
import socket
import subprocess
from asyncio import selector_events
from collections.abc import AsyncGenerator, Callable, Generator, Iterator, Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

import pytest
import structlog
from hypothesis import settings

from tests.scratch import Databases, ScratchNats, ScratchPostgres, new_database

SUMMARY: Final = "summary"
SERVERS: Final = frozenset({"accounts", "api", "chromium", "postgres_url"})
"""Fixtures that start one."""
IMPURE: Final[tuple[tuple[object, str], ...]] = (
    (os, "fork"),
    (os, "forkpty"),
    (socket.socket, "bind"),
    (socket.socket, "connect"),
    (subprocess.Popen, "__init__"),
)
"""What a pure test may not call."""
_IMPORT: Final = "<frozen importlib._bootstrap>"
"""Which test imports a module first is chance, and some ask the system something when they are imported."""
_MEMORY: Final = Path("/dev/shm")  # noqa: S108 - a folder of its own is made in it
_ROOM: Final = 2_000_000_000
"""Bytes: four processes need less than half of it."""
_PLAIN_TEST: Final = re.compile(r"^ *def test_", re.MULTILINE)

structlog.configure(
    processors=[
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="%Y-%m-%d %H:%M:%S", utc=False),
        # by default it shows every variable of a traceback, which takes seconds
        structlog.dev.ConsoleRenderer(colors=False, exception_formatter=structlog.dev.plain_traceback),
    ]
)

os.environ["XDG_CONFIG_HOME"] = "/nonexistent"
"""A developer's own settings file says nothing to tests."""

settings.register_profile("coldstart", deadline=None)  # how long an example takes says how busy the machine is
settings.register_profile("fast", settings.get_profile("coldstart"), max_examples=25)
settings.load_profile("coldstart")


def _close_what_asyncio_loses() -> None:
    """A connection that is accepted in the instant in which its server closes is refused by asyncio, and left open.

    The collector then closes it with a warning, in whatever test runs by then. Servers end all the time in tests.
    """
    transport = selector_events._SelectorTransport  # type: ignore[attr-defined]
    made = transport.__init__

    def made_or_closed(self: Any, loop: Any, sock: socket.socket, *rest: Any) -> None:
        try:
            made(self, loop, sock, *rest)
        except AssertionError:  # of Server._attach
            sock.close()
            self._sock = None
            raise

    transport.__init__ = made_or_closed


_close_what_asyncio_loses()


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Where every test is a coroutine none is pure, and nobody has to import it to know that."""
    if config.option.markexpr != "pure" or not collection_path.match("test_*.py"):
        return None
    return None if _PLAIN_TEST.search(collection_path.read_text(encoding="utf-8")) else True


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if isinstance(item, pytest.Function) and _is_pure(item):
            item.add_marker(pytest.mark.pure)
    items[:] = _whole_lines_first(items)


def _whole_lines_first(items: Sequence[pytest.Item]) -> list[pytest.Item]:
    """Whole lines take a minute each: at its end a run would wait for one of them alone.

    Of four processes, which each begin with a quarter, the first and the third have them: more at once would be slower.
    """
    lines = [item for item in items if "integration" in item.path.parts]
    others = [item for item in items if "integration" not in item.path.parts]
    others.sort(key=lambda item: item.get_closest_marker("pure") is not None)
    half = len(others) // 2
    return [*lines[::2], *others[:half], *lines[1::2], *others[half:]]


def pytest_collection_finish() -> None:
    """Modules and tests stay until the end: no collection has to go through them again."""
    gc.collect()
    gc.freeze()


def _is_pure(item: pytest.Function) -> bool:
    real = item.get_closest_marker("real") or inspect.iscoroutinefunction(item.obj)
    return not real and not SERVERS & set(item.fixturenames)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, Any, Any]:
    """A pure test that starts a process or talks to one fails: it needs the mark `real`."""
    if item.get_closest_marker("pure") is None:
        return (yield)
    with pytest.MonkeyPatch.context() as patch:
        for owner, name in IMPURE:
            patch.setattr(owner, name, _refusing(name, getattr(owner, name)))
        return (yield)


@pytest.fixture(autouse=True)
def _logs_as_before() -> Iterator[None]:
    """A command that is run in the process of the tests configures that process's logs."""
    root, configured = logging.getLogger(), structlog.get_config()
    handlers, level = root.handlers[:], root.level
    yield
    if structlog.get_config()["processors"] is not configured["processors"]:
        root.handlers[:], root.level = handlers, level
        structlog.configure(**configured)
        structlog.contextvars.clear_contextvars()


def _refusing(name: str, original: Callable[..., Any]) -> Callable[..., Any]:
    def refuse(*arguments: Any, **options: Any) -> Any:
        if any(frame.filename == _IMPORT for frame in inspect.stack(context=0)):
            return original(*arguments, **options)
        return pytest.fail(f"{name} in a test that passes for pure: mark it `real`")

    return refuse


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    for outcome in ("passed", "failed"):
        for report in terminalreporter.getreports(outcome):
            for name, line in report.user_properties:
                if name == SUMMARY:
                    terminalreporter.write_line(line)


@pytest.fixture(scope="session")
def servers_folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """In memory where that has room: on a disk NATS needs twice the processor time, for files that nobody keeps."""
    if not _MEMORY.is_dir() or shutil.disk_usage(_MEMORY).free < _ROOM:
        yield tmp_path_factory.mktemp("servers")
        return
    with TemporaryDirectory(prefix="coldstart-tests-", dir=_MEMORY, ignore_cleanup_errors=True) as folder:
        yield Path(folder)


@pytest.fixture(scope="session")
def accounts(servers_folder: Path) -> Generator[Iterator[str]]:
    """URLs of NATS accounts that nobody has used; a further server is started when those of one are used up.

    Each server runs until the end: a test may have its first account on one and its second on the next.
    """
    with asyncio.Runner() as runner:
        servers, numbers = AsyncExitStack(), itertools.count()

        def urls() -> Iterator[str]:
            while True:
                server = ScratchNats(servers_folder / f"nats-{next(numbers)}")
                runner.run(servers.enter_async_context(server))
                yield from server.urls()

        yield urls()
        runner.run(servers.aclose())


@pytest.fixture
def nats_url(accounts: Iterator[str]) -> str:
    """An account of the test's own, with JetStream: as good as a server of its own, and there at once."""
    return next(accounts)


@pytest.fixture(scope="session")
def postgres_url(servers_folder: Path) -> Generator[str]:
    """One PostgreSQL server for the whole session; use `database_url` for a database of the test's own."""
    server = ScratchPostgres(servers_folder / "postgres")
    with asyncio.Runner() as runner:
        runner.run(server.__aenter__())
        yield server.url
        runner.run(server.__aexit__(None, None, None))


@pytest.fixture(scope="session")
def databases(postgres_url: str) -> Databases:
    with asyncio.Runner() as runner:
        return runner.run(Databases.of(postgres_url))


@pytest.fixture
async def database_url(databases: Databases) -> AsyncGenerator[str]:
    """A database of the test's own, with the project's tables. It goes with its server."""
    url = await databases.take()
    yield url
    await databases.give_back(url)


@pytest.fixture
async def empty_database_url(postgres_url: str) -> str:
    return (await new_database(postgres_url))[1]
